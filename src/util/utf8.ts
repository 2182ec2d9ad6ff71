/**
 * Reads UTF-8 as it is. A plain `TextDecoder` drops a leading U+FEFF, and the name that it gives back is another one.
 */
export const decoder: TextDecoder = new TextDecoder("utf-8", { ignoreBOM: true });
