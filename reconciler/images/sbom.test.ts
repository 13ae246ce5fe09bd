import { expect, it } from "vitest";
import { cycloneDx, readDpkgStatus } from "./sbom.js";
import { sourceDate } from "./source-date.js";

const status = `Package: zlib1g
Status: install ok installed
Architecture: amd64
Version: 1:1.2.13.dfsg-1
Description: compression
 Version: of another line

Package: gone
Status: deinstall ok config-files
Version: 1

Package: adduser
Status: install ok installed
Architecture: all
Version: 3.134
`;

it("lists the installed packages by name, and none that was removed", () => {
  expect(readDpkgStatus(status)).toEqual([
    { name: "adduser", version: "3.134", arch: "all" },
    { name: "zlib1g", version: "1:1.2.13.dfsg-1", arch: "amd64" },
  ]);
});

it("writes them as CycloneDX with package URLs, dated like the image", () => {
  const text = cycloneDx({ name: "shell", version: "1", date: 0, packages: readDpkgStatus(status), others: [{ name: "a", version: "2" }] });
  expect(JSON.parse(text)).toMatchObject({
    bomFormat: "CycloneDX",
    metadata: { timestamp: "1970-01-01T00:00:00.000Z" },
    components: [{ name: "adduser" }, { purl: "pkg:deb/debian/zlib1g@1%3A1.2.13.dfsg-1?arch=amd64" }, { type: "application", name: "a" }],
  });
});

it("images are dated by SOURCE_DATE_EPOCH, else by the recipes, never by the clock", () => {
  expect(sourceDate({ SOURCE_DATE_EPOCH: "86400" })).toBe(86_400);
  expect(sourceDate({})).toBe(sourceDate({ SOURCE_DATE_EPOCH: "" }));
  expect(() => sourceDate({ SOURCE_DATE_EPOCH: "today" })).toThrow('"today" is refused');
});
