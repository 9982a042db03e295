import type { Life } from "./tenant-life";
import type { Shown, Told } from "./told";

/**
 * The requests without an answer, those together that ask for the same. Names and slugs on which no answer depends,
 * nor the end, are all the same: one tenant that got them cannot be told from the other.
 *
 * @param events In the order in which they were sent.
 */
export function unheard(
  first: Life,
  events: readonly Told[],
  end: Shown | "purged" | undefined,
): Told[][] {
  const isUnheard = ({ answer }: Told) => answer === "unknown";
  const heard = events.filter((event) => !isUnheard(event) || event.verb === "purge");
  const looks = [
    ...[first, end === "purged" ? undefined : end],
    ...heard.flatMap(({ shown, body }) => [shown, body]),
  ];
  const names = new Set(looks.map((look) => look?.name));
  const slugs = new Set(looks.map((look) => look?.slug));
  const kinds = new Map<string, Told[]>();
  for (const event of events.filter(isUnheard)) {
    const { name, slug } = event.body;
    const body = {
      ...(name !== undefined && { name: names.has(name) ? name : "a name" }),
      ...(slug !== undefined && { slug: slugs.has(slug) ? slug : "a-slug" }),
    };
    const asked = JSON.stringify([event.verb, body]);
    kinds.set(asked, [...(kinds.get(asked) ?? []), { ...event, body }]);
  }
  return [...kinds.values()];
}
