const placeholder = /\{\{(.+?)\}\}/g;

/**
 * The body that a custom template makes of GitLab's own one: `{{user.name}}` is replaced by that value, which is `null`
 * when there is none. Undefined when the template looks into a list, which GitLab cannot, or when no valid JSON results.
 */
export function renderTemplate(template: string, body: string): string | undefined {
  const data: unknown = JSON.parse(body);
  try {
    const rendered = template.replace(placeholder, (_whole, path: string) => {
      const text = JSON.stringify(valueAt(data, path.split(".")) ?? null);
      // A text stands within quotes of the template's own.
      return text.startsWith('"') ? text.slice(1, -1) : text;
    });
    return JSON.stringify(JSON.parse(rendered));
  } catch {
    return undefined;
  }
}

function valueAt(data: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, key) => {
    if (at === undefined || at === null) return undefined;
    if (typeof at !== "object" || Array.isArray(at)) throw new TypeError(`${key} is looked for in what is no object`);
    return Object.hasOwn(at, key) ? (at as Readonly<Record<string, unknown>>)[key] : undefined;
  }, data);
}
