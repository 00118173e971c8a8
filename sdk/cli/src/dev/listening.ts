import { connect } from "node:net";

const CONNECT_MS = 500;

/** Whether anybody accepts connections on this port, by IPv4 or IPv6: some servers listen on only one of them. */
export async function isListening(port: number): Promise<boolean> {
  const [four, six] = await Promise.all([accepts(port, "127.0.0.1"), accepts(port, "::1")]);
  return four || six;
}

function accepts(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const end = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.setTimeout(CONNECT_MS, () => end(false));
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}
