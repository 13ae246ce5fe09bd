import { createServer } from "node:net";

// Below the range from which the system takes ports for outgoing connections: a service that comes back finds its own free.
const first = 20_000;
const last = 31_999;
const tries = 200;

/** Ports of 127.0.0.1 that nobody uses, for a service that must be found at the same place after a restart. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = [];
  for (let n = 0; ports.length < count && n < tries; n += 1) {
    const port = first + Math.floor(Math.random() * (last - first + 1));
    if (!ports.includes(port) && (await isFree(port))) ports.push(port);
  }
  if (ports.length < count) throw new Error(`no ${count} free ports found between ${first} and ${last}`);
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
