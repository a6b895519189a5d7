/** The longest name of a file that can be packed, in bytes. */
export const LONGEST_NAME = 100;

/** A file to pack: a name of at most {@link LONGEST_NAME}, ids up to 2097151. */
export type TarFile = {
  readonly name: string;
  readonly content: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
};

const BLOCK = 512;

/** Packs files into an archive (POSIX ustar), written at `now`. */
export function packTar(files: readonly TarFile[], now: Date): Buffer {
  const parts = files.flatMap((file) => {
    const { content } = file;
    return [header(file, now), content, Buffer.alloc(-content.length & (BLOCK - 1))];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header({ name, content, mode, uid, gid }: TarFile, now: Date): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, LONGEST_NAME);
  const numbers = [
    [100, 8, mode],
    [108, 8, uid],
    [116, 8, gid],
    [124, 12, content.length],
    [136, 12, Math.floor(now.getTime() / 1000)],
  ] as const;
  for (const [at, width, value] of numbers) block.write(value.toString(8).padStart(width - 1, "0"), at);
  block.write("0", 156);
  block.write("ustar\u000000", 257);
  // The sum is made as if it were blanks itself.
  const sum = block.reduce((total, byte) => total + byte, 8 * 32);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** The content of the first entry of an archive; undefined where that is no plain file, or the archive is longer than `longest` bytes. */
export async function readTarFile(stream: NodeJS.ReadableStream, longest: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > longest) return undefined;
    chunks.push(chunk);
  }
  return firstFile(Buffer.concat(chunks));
}

// Before the entry there may be one that says more of it: PAX (POSIX pax, "x" and "g").
function firstFile(tar: Buffer): Buffer | undefined {
  for (let at = 0; at + BLOCK <= tar.length;) {
    const kind = tar.toString("latin1", at + 156, at + 157);
    const size = Number.parseInt(tar.toString("latin1", at + 124, at + 136), 8);
    const begin = at + BLOCK;
    if (!/^[xg]$/.test(kind)) return /^[0\0]$/.test(kind) ? tar.subarray(begin, begin + size) : undefined;
    if (!(size >= 0)) return undefined;
    at = begin + Math.ceil(size / BLOCK) * BLOCK;
  }
  return undefined;
}
