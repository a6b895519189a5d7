// Far more than a page's head has before its words; what a whole page is made of must not cost the time of a whole page.
const READ_AT_MOST = 16 * 1024;

/** The words a page begins with, its tags and line breaks left out: `length` characters at most. */
export function excerpt(page: string, length: number): string {
  return page
    .slice(0, READ_AT_MOST)
    .replaceAll(/<[^<>]*>/g, " ")
    .replaceAll(/\s+/g, " ")
    .trim()
    .slice(0, length);
}
