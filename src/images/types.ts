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
  cur: "image/vnd.microsoft.icon",
  svgz: "image/svg+xml",
  avifs: "image/avif",
  jxl: "image/jxl",
  heic: "image/heic",
  heif: "image/heif",
  hif: "image/heif",
};

/** The MIME type that the extension of a name stands for, if it is that of an image that Larder knows. */
export function typeOfName(name: string): string | undefined {
  const extension = /\.([a-z]{3,5})$/i.exec(name)?.[1]?.toLowerCase();
  return extension !== undefined && Object.hasOwn(TYPES, extension) ? TYPES[extension] : undefined;
}

const KNOWN: ReadonlySet<string> = new Set(Object.values(TYPES));

/** Whether a MIME type is that of an image that Larder knows. */
export function isImageType(type: string): boolean {
  return KNOWN.has(type);
}

/** What is no image, and dangerous or of no use if it is taken for what its name says. */
const OTHERS: Readonly<Record<string, string>> = {
  html: "text/html",
  htm: "text/html",
  js: "text/javascript",
  css: "text/css",
  txt: "text/plain",
  json: "application/json",
  xml: "application/xml",
  pdf: "application/pdf",
};

/** Two names of one format: files of either have either extension. */
const SAME = new Set(["image/heic", "image/heif"]);

/** The MIME type that the extension of a name stands for, where the content has another one. */
export function mismatchOf(name: string, type: string): string | undefined {
  const extension = /\.([a-z]{2,5})$/i.exec(name)?.[1]?.toLowerCase() ?? "";
  const said = typeOfName(name) ?? (Object.hasOwn(OTHERS, extension) ? OTHERS[extension] : undefined);
  return said === type || (SAME.has(type) && SAME.has(said ?? "")) ? undefined : said;
}
