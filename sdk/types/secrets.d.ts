// Secrets: values that a script uses and never sees.

declare namespace flora {
  interface Secrets {
    /**
     * A placeholder for the secret, undefined when the guild has none of that name. Put it into a URL's path or
     * query, a header, or the password of a Basic `Authorization`: `fetch` sends the value in its place, to the
     * secret's allowed hosts and nowhere else. In a body only with `flora: { secretsInBody: true }`.
     */
    get(name: string): string | undefined;
  }

  const secrets: Secrets;
}
