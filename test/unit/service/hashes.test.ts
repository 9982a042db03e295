import { HashesFullError } from "../../../service/system/errors";
import { hashInTurn } from "../../../service/operations/hashes";

test("beyond so many at once none is begun; one that ends, well or not, makes place for another", async () => {
  let begun = 0;
  const ends: { well: () => void; badly: (error: Error) => void }[] = [];
  const hash = () => {
    begun += 1;
    return new Promise<void>((well, badly) => ends.push({ well, badly }));
  };
  const all = Array.from({ length: 100 }, () => hashInTurn(hash).catch(() => undefined));
  await expect(hashInTurn(hash)).rejects.toThrow(HashesFullError);
  expect(begun).toBe(100);
  ends.shift()?.well();
  ends.shift()?.badly(new Error("argon2"));
  await Promise.all(all.slice(0, 2));
  all.push(hashInTurn(hash), hashInTurn(hash));
  await expect(hashInTurn(hash)).rejects.toThrow(HashesFullError);
  for (const end of ends) end.well();
  await Promise.all(all);
  await expect(hashInTurn(() => Promise.resolve("hash"))).resolves.toBe("hash");
});
