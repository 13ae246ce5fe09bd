import { readFileSync } from "node:fs";
import { create, type DescMessage, fromBinary, fromJson, type JsonValue, type MessageShape, toBinary, toJson } from "@bufbuild/protobuf";
import { AnySchema, anyPack, StringValueSchema, timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CreateMicroVMRequestSchema,
  CreateMicroVMResponseSchema,
  DeleteMicroVMRequestSchema,
  file_services_microvm_v1alpha1_microvms,
  GetMicroVMRequestSchema,
  GetMicroVMResponseSchema,
  ListMessageSchema,
  ListMicroVMsRequestSchema,
  ListMicroVMsResponseSchema,
  MicroVM,
} from "./gen/services/microvm/v1alpha1/microvms_pb.js";
import {
  file_types_microvm,
  InitrdSchema,
  KernelSchema,
  MicroVMSchema,
  MicroVMSpecSchema,
  MicroVMStatus_MicroVMState,
  MicroVMStatusSchema,
  Mount_MountType,
  MountSchema,
  NetworkInterface_IfaceType,
  NetworkInterfaceSchema,
  NetworkOverridesSchema,
  StaticAddressSchema,
  VolumeSchema,
  VolumeSourceSchema,
} from "./gen/types/microvm_pb.js";

/** Message -> bytes -> message. */
function again<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): MessageShape<Desc> {
  return fromBinary(schema, toBinary(schema, message));
}

const golden = JSON.parse(readFileSync(new URL("../test/fixtures/golden/flintlock-v0.11.0.json", import.meta.url), "utf8")) as {
  cases: { name: string; method: string; request: JsonValue; ok?: JsonValue }[];
};
const methods = new Map<string, (typeof MicroVM.methods)[number]>(MicroVM.methods.map((method) => [method.name, method]));

describe("the numbers of the wire", () => {
  const numbers = (schema: DescMessage) => Object.fromEntries(schema.fields.map((field) => [field.name, field.number]));

  it("are Flintlock's for the specification of a microVM", () => {
    expect(numbers(MicroVMSpecSchema)).toEqual({
      id: 1,
      namespace: 2,
      labels: 3,
      vcpu: 4,
      memory_in_mb: 5,
      kernel: 6,
      initrd: 7,
      root_volume: 8,
      additional_volumes: 9,
      interfaces: 10,
      metadata: 11,
      created_at: 12,
      updated_at: 13,
      deleted_at: 14,
      uid: 15,
      provider: 16,
      allow_guest_agent: 17,
    });
    expect(numbers(KernelSchema)).toEqual({ image: 1, cmdline: 2, filename: 3, add_network_config: 4 });
    expect(numbers(NetworkInterfaceSchema)).toEqual({ device_id: 1, type: 2, guest_mac: 4, address: 5, overrides: 6 });
    expect(numbers(StaticAddressSchema)).toEqual({ address: 1, gateway: 2, nameservers: 3 });
    expect(numbers(VolumeSchema)).toEqual({ id: 1, is_read_only: 2, mount_point: 3, source: 4, partition_id: 5, size_in_mb: 6 });
    expect(numbers(VolumeSourceSchema)).toEqual({ container_source: 1, virtiofs_source: 2 });
  });

  it("are Flintlock's for what a host tells", () => {
    expect(numbers(MicroVMSchema)).toEqual({ version: 1, spec: 2, status: 3 });
    expect(numbers(MicroVMStatusSchema)).toEqual({
      state: 1,
      volumes: 2,
      kernel_mount: 3,
      initrd_mount: 4,
      network_interfaces: 5,
      retry: 6,
      vsock_path: 7,
    });
    expect(numbers(MountSchema)).toEqual({ type: 1, source: 2 });
  });

  it("name the service and its five methods", () => {
    expect(MicroVM.typeName).toBe("microvm.services.api.v1alpha1.MicroVM");
    expect(MicroVM.methods.map((method) => `${method.name} ${method.methodKind} ${method.output.typeName}`)).toEqual([
      "CreateMicroVM unary microvm.services.api.v1alpha1.CreateMicroVMResponse",
      "DeleteMicroVM unary google.protobuf.Empty",
      "GetMicroVM unary microvm.services.api.v1alpha1.GetMicroVMResponse",
      "ListMicroVMs unary microvm.services.api.v1alpha1.ListMicroVMsResponse",
      "ListMicroVMsStream server_streaming microvm.services.api.v1alpha1.ListMessage",
    ]);
  });

  it("write the bytes that the specification of protobuf asks for", () => {
    const message = create(MicroVMSpecSchema, { id: "a", vcpu: 2, uid: "", allowGuestAgent: true });
    expect(Buffer.from(toBinary(MicroVMSpecSchema, message)).toString("hex")).toBe("0a016120027a00880101");
  });
});

describe("every message", () => {
  const all = [...file_types_microvm.messages, ...file_services_microvm_v1alpha1_microvms.messages];

  it.each(all.map((schema) => [schema.typeName, schema] as const))("%s comes back empty when it was sent empty", (_name, schema) => {
    const empty = create(schema);
    expect(toBinary(schema, empty)).toHaveLength(0);
    expect(again(schema, empty)).toEqual(empty);
  });

  it("comes back whole when every field is set", () => {
    const spec = create(MicroVMSpecSchema, {
      id: "vm1",
      namespace: "ns",
      labels: { a: "b" },
      vcpu: 2,
      memoryInMb: 1024,
      kernel: { image: "k", cmdline: { quiet: "", loglevel: "3" }, filename: "vmlinux", addNetworkConfig: true },
      initrd: { image: "i", filename: "initrd" },
      rootVolume: {
        id: "root",
        isReadOnly: true,
        mountPoint: "/",
        source: { containerSource: "r", virtiofsSource: "/x" },
        partitionId: "p",
        sizeInMb: 1,
      },
      additionalVolumes: [{ id: "one" }, { id: "two" }],
      interfaces: [
        {
          deviceId: "eth1",
          type: NetworkInterface_IfaceType.TAP,
          guestMac: "02:00:00:00:00:01",
          address: { address: "10.0.0.2/24", gateway: "10.0.0.1/24", nameservers: ["1.1.1.1"] },
          overrides: { bridgeName: "br0" },
        },
      ],
      metadata: { "user-data": "eA==" },
      createdAt: timestampFromMs(1_000),
      updatedAt: timestampFromMs(2_000),
      deletedAt: timestampFromMs(3_000),
      uid: "01JNKXRA9M9JKXFW6MBPMR2APT",
      provider: "firecracker",
      allowGuestAgent: true,
    });
    const microvm = create(MicroVMSchema, {
      version: 2,
      spec,
      status: {
        state: MicroVMStatus_MicroVMState.DELETING,
        volumes: { root: { mount: { type: Mount_MountType.DEV, source: "/dev/mapper/x" } } },
        kernelMount: { type: Mount_MountType.HOSTPATH, source: "/k" },
        initrdMount: { type: Mount_MountType.HOSTPATH, source: "/i" },
        networkInterfaces: { eth0: { hostDeviceName: "fltap0", index: 6, macAddress: "DA:6E:A1:66:32:15" } },
        retry: 3,
        vsockPath: "/v",
      },
    });
    const metadata = { note: anyPack(StringValueSchema, create(StringValueSchema, { value: "x" })) };
    expect(metadata.note).toEqual(again(AnySchema, metadata.note));
    const request = create(CreateMicroVMRequestSchema, { microvm: spec, metadata });
    expect(again(CreateMicroVMRequestSchema, request)).toEqual(request);
    for (const schema of [CreateMicroVMResponseSchema, GetMicroVMResponseSchema, ListMessageSchema]) {
      expect(again(schema, create(schema, { microvm }))).toEqual(create(schema, { microvm }));
    }
    const list = create(ListMicroVMsResponseSchema, { microvm: [microvm, create(MicroVMSchema)] });
    expect(again(ListMicroVMsResponseSchema, list)).toEqual(list);
    for (const schema of [GetMicroVMRequestSchema, DeleteMicroVMRequestSchema]) {
      expect(again(schema, create(schema, { uid: "u" })).uid).toBe("u");
    }
  });
});

describe("presence", () => {
  const cases: readonly (readonly [string, DescMessage, string, unknown])[] = [
    ["MicroVMSpec.uid", MicroVMSpecSchema, "uid", ""],
    ["MicroVMSpec.provider", MicroVMSpecSchema, "provider", ""],
    ["MicroVMSpec.initrd", MicroVMSpecSchema, "initrd", create(InitrdSchema)],
    ["Kernel.filename", KernelSchema, "filename", ""],
    ["Initrd.filename", InitrdSchema, "filename", ""],
    ["NetworkInterface.guest_mac", NetworkInterfaceSchema, "guestMac", ""],
    ["NetworkInterface.address", NetworkInterfaceSchema, "address", create(StaticAddressSchema)],
    ["NetworkInterface.overrides", NetworkInterfaceSchema, "overrides", create(NetworkOverridesSchema)],
    ["NetworkOverrides.bridge_name", NetworkOverridesSchema, "bridgeName", ""],
    ["StaticAddress.gateway", StaticAddressSchema, "gateway", ""],
    ["Volume.mount_point", VolumeSchema, "mountPoint", ""],
    ["Volume.partition_id", VolumeSchema, "partitionId", ""],
    ["Volume.size_in_mb", VolumeSchema, "sizeInMb", 0],
    ["VolumeSource.container_source", VolumeSourceSchema, "containerSource", ""],
    ["VolumeSource.virtiofs_source", VolumeSourceSchema, "virtiofsSource", ""],
    ["ListMicroVMsRequest.name", ListMicroVMsRequestSchema, "name", ""],
  ];

  it.each(cases)("of %s tells unset from empty", (_name, schema, field, empty) => {
    const unset = again(schema, create(schema)) as unknown as Record<string, unknown>;
    expect(unset[field]).toBeUndefined();
    const set = again(schema, create(schema, { [field]: empty })) as unknown as Record<string, unknown>;
    expect(set[field]).toEqual(empty);
  });

  it("is not kept by plain fields: zero is the same as unset", () => {
    const bytes = toBinary(MicroVMSpecSchema, create(MicroVMSpecSchema, { id: "", vcpu: 0, allowGuestAgent: false, metadata: {} }));
    expect(bytes).toHaveLength(0);
  });
});

describe("enums", () => {
  it("have the zero values that make forgetting them visible", () => {
    expect(create(NetworkInterfaceSchema).type).toBe(NetworkInterface_IfaceType.MACVTAP);
    expect(create(MicroVMStatusSchema).state).toBe(MicroVMStatus_MicroVMState.PENDING);
    expect(create(MountSchema).type).toBe(Mount_MountType.DEV);
    expect(Number(NetworkInterface_IfaceType.TAP)).toBe(1);
    expect([MicroVMStatus_MicroVMState.CREATED, MicroVMStatus_MicroVMState.FAILED, MicroVMStatus_MicroVMState.DELETING]).toEqual([1, 2, 3]);
    expect(Number(Mount_MountType.HOSTPATH)).toBe(1);
  });

  it("keep a number that this version does not know", () => {
    const message = create(MicroVMStatusSchema, { state: 9 as MicroVMStatus_MicroVMState });
    expect(again(MicroVMStatusSchema, message).state).toBe(9);
  });
});

describe("any microVM", () => {
  const text = fc.string({ unit: "binary", maxLength: 20 }).filter((value) => !value.includes("\0"));
  const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const specs = fc.record(
    {
      id: text,
      namespace: text,
      vcpu: int32,
      memoryInMb: int32,
      uid: text,
      provider: text,
      allowGuestAgent: fc.boolean(),
      metadata: fc.dictionary(text, text, { noNullPrototype: true }),
      labels: fc.dictionary(text, text, { noNullPrototype: true }),
      kernel: fc.record({ image: text, filename: text, addNetworkConfig: fc.boolean() }, { requiredKeys: [] }),
      interfaces: fc.array(
        fc.record(
          { deviceId: text, type: fc.constantFrom(NetworkInterface_IfaceType.MACVTAP, NetworkInterface_IfaceType.TAP), guestMac: text },
          { requiredKeys: [] },
        ),
        { maxLength: 4 },
      ),
    },
    { requiredKeys: [] },
  );

  it("comes back from bytes and from JSON as it was sent", () => {
    fc.assert(
      fc.property(specs, int32, optional(int32), (fields, version, retry) => {
        const message = create(MicroVMSchema, {
          version,
          spec: fields,
          status: retry === undefined ? create(MicroVMStatusSchema) : { retry },
        });
        expect(again(MicroVMSchema, message)).toEqual(message);
        expect(fromJson(MicroVMSchema, toJson(MicroVMSchema, message))).toEqual(message);
        expect(fromJson(MicroVMSchema, toJson(MicroVMSchema, message, { useProtoFieldName: true }))).toEqual(message);
      }),
      { numRuns: 200 },
    );
  });

  it("keeps fields of a newer version that this one does not know", () => {
    fc.assert(
      fc.property(fc.integer({ min: 18, max: 500 }), fc.uint8Array({ maxLength: 50 }), (number, data) => {
        const tag = (number << 3) | 2;
        const bytes = tag < 128 ? [tag] : tag < 16_384 ? [(tag & 127) | 128, tag >> 7] : [];
        const sent = Uint8Array.from([...bytes, data.length, ...data]);
        expect(toBinary(MicroVMSpecSchema, fromBinary(MicroVMSpecSchema, sent))).toEqual(sent);
      }),
    );
  });
});

describe("the recorded requests and answers", () => {
  it.each(golden.cases.map((one) => [one.name, one] as const))("parse: %s", (_name, one) => {
    const method = methods.get(one.method);
    if (method === undefined) throw new Error(`no method ${one.method}`);
    const request = fromJson(method.input, one.request);
    expect(again(method.input, request)).toEqual(request);
    if (one.ok === undefined) return;
    const answer = fromJson(method.output, one.ok);
    expect(toJson(method.output, again(method.output, answer))).toEqual(one.ok);
  });
});
