const encoder = new TextEncoder();

/**
 * The hash slot of a key in a Redis Cluster: CRC16 (XMODEM) of the key, or of its hash tag if it has one, modulo 16384.
 *
 * @param key The key.
 */
export function hashSlot(key: string): number {
  const open = key.indexOf("{");
  const close = key.indexOf("}", open + 1);
  let crc = 0;
  for (const byte of encoder.encode(open >= 0 && close > open + 1 ? key.slice(open + 1, close) : key)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  }
  return crc & 0x3fff;
}
