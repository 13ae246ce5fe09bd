import { z } from "zod";
import { flag, texts, wholeNumber } from "../http/parameters.js";
import type { Refusal } from "../http/refusal.js";
import type { RunnerSettings } from "../records/runners.js";

const settings = {
  description: z.string().max(1024).optional(),
  maintenance_note: z.string().max(1024).optional(),
  tag_list: texts.optional(),
  run_untagged: flag.optional(),
  locked: flag.optional(),
  paused: flag.optional(),
  /** The older word for its opposite. */
  active: flag.optional(),
  access_level: z.enum(["not_protected", "ref_protected"]).optional(),
  maximum_timeout: wholeNumber.optional(),
};

/** `POST /user/runners` */
export const newRunner = z.object({
  runner_type: z.enum(["instance_type", "group_type", "project_type"]),
  group_id: wholeNumber.optional(),
  project_id: wholeNumber.optional(),
  ...settings,
});

/** `PUT /runners/:id` */
export const changedRunner = z.object(settings);

type Asked = z.output<typeof changedRunner>;

/** The settings of a new runner; like GitLab's it takes untagged jobs unless told not to. */
export const settingsOf = (asked: Asked): RunnerSettings => ({
  description: "",
  maintenanceNote: undefined,
  tags: [],
  runUntagged: true,
  locked: false,
  paused: false,
  accessLevel: "not_protected",
  maximumTimeoutS: undefined,
  ...changeOf(asked),
});

/** What is to be different: only what was named. */
export function changeOf(asked: Asked): Partial<RunnerSettings> {
  return {
    ...(asked.description === undefined ? {} : { description: asked.description }),
    ...(asked.maintenance_note === undefined ? {} : { maintenanceNote: asked.maintenance_note }),
    ...(asked.tag_list === undefined ? {} : { tags: [...new Set(asked.tag_list)] }),
    ...(asked.run_untagged === undefined ? {} : { runUntagged: asked.run_untagged }),
    ...(asked.locked === undefined ? {} : { locked: asked.locked }),
    ...(asked.active === undefined ? {} : { paused: !asked.active }),
    ...(asked.paused === undefined ? {} : { paused: asked.paused }),
    ...(asked.access_level === undefined ? {} : { accessLevel: asked.access_level }),
    ...(asked.maximum_timeout === undefined ? {} : { maximumTimeoutS: asked.maximum_timeout }),
  };
}

const maxTags = 50;
const minTimeoutS = 600;

/** Throws GitLab's refusal of settings that do not go together, which `refuse` makes of the field and what is wrong with it. */
export function checkSettings(
  { tags, runUntagged, maximumTimeoutS }: Pick<RunnerSettings, "tags" | "runUntagged" | "maximumTimeoutS">,
  refuse: (field: string, text: string) => Refusal,
): void {
  if (tags.length === 0 && !runUntagged) {
    throw refuse("tags_list", "can not be empty when runner is not allowed to pick untagged jobs");
  }
  if (tags.length > maxTags) throw refuse("tags_list", `Too many tags specified. Please limit the number of tags to ${maxTags}`);
  if (tags.some((tag) => tag.length > 255)) throw refuse("tags_list", "is too long (maximum is 255 characters)");
  if (maximumTimeoutS !== undefined && maximumTimeoutS < minTimeoutS) throw refuse("maximum_timeout", "needs to be at least 10 minutes");
}
