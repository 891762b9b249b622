// Equality of types, checked by the compiler.

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** `expectType<number>()(value)`: compiles only when the value's type is exactly that. */
export function expectType<TExpected>() {
  return <TActual>(value: TActual, ...wrong: Equal<TExpected, TActual> extends true ? [] : [never]): void => {
    void value;
    void wrong;
  };
}
