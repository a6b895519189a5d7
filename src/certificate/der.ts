/** An element of any tag. */
function element(tag: number, ...content: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(content);
  return Buffer.concat([Buffer.of(tag), lengthOf(bytes.length), bytes]);
}

// From 128 on in as many bytes as the first one's lower bits say (§8.1.3.5).
function lengthOf(length: number): Buffer {
  const bytes = bytesOf(length);
  return length < 0x80 ? bytes : Buffer.concat([Buffer.of(0x80 + bytes.length), bytes]);
}

function bytesOf(number: number): Buffer {
  const hex = number.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length & 1), "0"), "hex");
}

/** An INTEGER that isn't negative: a first bit that is set would make it so. */
function integer(number: number): Buffer {
  const bytes = bytesOf(number);
  return element(0x02, Buffer.alloc((bytes[0] ?? 0) >> 7), bytes);
}

const NULL = element(0x05);

function octets(bytes: Buffer): Buffer {
  return element(0x04, bytes);
}

function sequence(...elements: readonly Buffer[]): Buffer {
  return element(0x30, ...elements);
}

/** A SET OF, whose elements stand in the order of their bytes (§11.6). */
function setOf(...elements: readonly Buffer[]): Buffer {
  return element(0x31, ...elements.toSorted((one, other) => one.compare(other)));
}

/** What has the tag [0] around it. */
function tagged(content: Buffer): Buffer {
  return element(0xa0, content);
}

/** A text of at most 65536 kinds of characters, two bytes each. */
function bmpString(text: string): Buffer {
  return Buffer.from(text, "utf16le").swap16();
}

/** A BIT STRING of whole bytes: none of its bits is unused. */
function bits(bytes: Buffer): Buffer {
  return element(0x03, Buffer.of(0), bytes);
}

/** An OBJECT IDENTIFIER, of its content in hexadecimal. */
function oid(hex: string): Buffer {
  return element(0x06, Buffer.from(hex, "hex"));
}

/** What writes DER (X.690): a tag, how long the content is, the content. */
export const der = { bits, bmpString, element, integer, NULL, octets, oid, sequence, setOf, tagged };
