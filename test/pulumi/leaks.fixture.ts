const around = 60;

/** Where one of the secrets stands in the clear, with some of the text around it; empty when nowhere. */
export function leaks(texts: Readonly<Record<string, string>>, secrets: readonly string[]): readonly string[] {
  return Object.entries(texts).flatMap(([where, text]) =>
    secrets.flatMap((secret) => {
      const at = text.indexOf(secret);
      return at < 0 ? [] : [`${where}: ${text.slice(Math.max(0, at - around), at + secret.length + around)}`];
    }),
  );
}
