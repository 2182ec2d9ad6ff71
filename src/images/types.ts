/** MIME types by extension. */
const TYPES: Readonly<Record<string, string>> = {
  png: "image/png",
  apng: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  jpe: "image/jpeg",
  jfif: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  avif: "image/avif",
  svg: "image/svg+xml",
  bmp: "image/bmp",
  dib: "image/bmp",
  tif: "image/tiff",
  tiff: "image/tiff",
  ico: "image/vnd.microsoft.icon",
};

/** The MIME type that the extension of a name stands for, if it is that of an image that Larder knows. */
export function typeOfName(name: string): string | undefined {
  const extension = /\.([a-z]{3,4})$/i.exec(name)?.[1]?.toLowerCase();
  return extension !== undefined && Object.hasOwn(TYPES, extension) ? TYPES[extension] : undefined;
}

/** What the extension says where the content says something else; any extension counts. */
export function mismatchOf(name: string, type: string): string | undefined {
  const known = typeOfName(name);
  if (known !== undefined) return known === type ? undefined : known;
  return /\.[^./]+$/.test(name) ? "application/octet-stream" : undefined;
}
