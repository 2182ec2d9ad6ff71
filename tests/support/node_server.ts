/**
 * Stops a server of `node:http`. `close()` alone waits for each connection on which nothing was ever asked, and
 * `fetch()` opens such ones to spare: who closes the server before they are used waits for minutes.
 */
export function closeNodeServer(
  server: { close(done: () => void): unknown; closeAllConnections(): void },
): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
