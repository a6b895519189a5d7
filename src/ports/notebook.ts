/**
 * A small file of one part, for what it must still know after a restart: how often it has told something, how far it has come.
 * Durable and atomic: what `change` has resolved with survives a power cut, and at any instant the file is as it was before a
 * change or after it. One call at a time is at work on a notebook, however often it was opened, in the order of the calls; the
 * process must hold the lock. A file that makes no sense is kept aside and told, and a fresh one is begun.
 */
export interface Notebook<Content> {
  /** What was written last, or the fresh content. Throws OperatorError when the disk doesn't give it back. */
  read(): Promise<Content>;
  /**
   * Writes what `change`, which must be pure, makes of the content, and gives it. Throws what `change` throws, or OperatorError:
   * then nothing is changed. Where the disk has only failed to confirm the new content, that stands.
   */
  change(change: (before: Content) => Content): Promise<Content>;
}

/**
 * Opens the notebook of a name in lower-case letters, digits and dashes: a part's own. `parse` reads what JSON gives back of a
 * content, and throws an Error that says why it makes no sense. Nothing is read or written yet.
 */
export type OpenNotebook = <Content>(
  name: string,
  fresh: Content,
  parse: (json: unknown) => Content,
) => Notebook<Content>;
