// The way from a test to `flora test`: requests to an address that nothing else has, which the process that
// runs the isolate answers itself. So the prelude is the one of the pods, to the byte.

const { fetch: request } = globalThis as unknown as {
  fetch(url: string, init: object): Promise<{ json(): Promise<unknown> }>;
};

/** Ask for something and wait for it. */
export async function ask<T>(what: string, args: object = {}): Promise<T> {
  const response = await request(`http://flora-test.invalid/${what}`, { method: "POST", body: JSON.stringify(args) });
  return (await response.json()) as T;
}
