import { expect, it } from "vitest";
import { chooseAccelerator } from "./accelerator.js";

const signs =
  (flags: string, canOpen = true) =>
  () => ({ cpuFlags: new Set(flags.split(" ")), canOpen });

it.each([
  ["a processor of Intel's with a device", undefined, signs("fpu vmx"), "kvm"],
  ["one of AMD's", "auto", signs("fpu svm"), "kvm"],
  ["a device that emulates what the processor lacks", undefined, signs("fpu hypervisor"), "tcg"],
  ["a device that this user may not open", "", signs("vmx", false), "tcg"],
  ["what was asked for, whatever there is", "tcg", signs("vmx"), "tcg"],
  ["KVM when it was asked for", "kvm", signs("", false), "kvm"],
])("takes the right one for %s", (_, given, found, accelerator) => {
  expect(chooseAccelerator(given, found)).toBe(accelerator);
});

it("refuses another word", () => {
  expect(() => chooseAccelerator("xen", signs(""))).toThrow('"xen" is refused: must be auto, kvm or tcg');
});
