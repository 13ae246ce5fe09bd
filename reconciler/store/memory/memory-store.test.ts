import { describe } from "vitest";
import { storeContract } from "../store-contract.fixture.js";
import { storeModel } from "../store-model.fixture.js";
import { createMemoryStore } from "./memory-store.js";

describe("the memory store", () => {
  storeContract(({ clock, random, onFault }, eventRetention = 1_000) => createMemoryStore({ clock, random, onFault, eventRetention }));
  storeModel({ runs: 100, open: (world) => createMemoryStore(world) });
});
