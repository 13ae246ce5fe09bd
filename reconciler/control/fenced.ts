/**
 * A port that asks `check` before every call, which throws when no more calls may be made. Work of many calls that was begun while
 * this process led, and goes on when another one does, ends before its next call.
 */
export function fenced<P extends object>(port: P, check: () => void): P {
  return new Proxy(port, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => {
        check();
        return member.apply(target, args);
      };
    },
  });
}
