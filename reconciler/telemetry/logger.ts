import { type Logger as PinoLogger, pino } from "pino";
import { FireRunnerError } from "../model/errors.js";
import { redactFields, redactText } from "./redact.js";

const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

/** What a log line tells besides its message: `error`, `connection`, `vm`, `traceId`, … */
export type LogFields = Readonly<Record<string, unknown>>;

/** One line of JSON per call; secrets are taken out of fields and message before anything is written. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger whose lines all carry these fields. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  /** `LOG_LEVEL` of the environment goes before it. */
  readonly level: LogLevel;
  /** Standard output when left out, written at once: nothing is lost at exit. */
  readonly destination?: { write(line: string): void };
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Makes the service's logger; a wrong `LOG_LEVEL` is refused with `FR-CONFIG`. */
export function createLogger(options: LoggerOptions): Logger {
  const level = levelOf((options.env ?? process.env).LOG_LEVEL) ?? options.level;
  const line = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: "message",
      formatters: { level: (label) => ({ level: label }), log: redactFields },
      hooks: { streamWrite: redactText },
    },
    options.destination ?? pino.destination({ fd: 1, sync: true }),
  );
  return wrap(line);
}

/** A child's fields are written as they were given, past every formatter: they are redacted here. */
function wrap(line: PinoLogger): Logger {
  return {
    debug: (fields, message) => line.debug(fields, message),
    info: (fields, message) => line.info(fields, message),
    warn: (fields, message) => line.warn(fields, message),
    error: (fields, message) => line.error(fields, message),
    child: (fields) => wrap(line.child(redactFields(fields))),
  };
}

/** A logger that writes nothing. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};

function levelOf(text: string | undefined): LogLevel | undefined {
  if (text === undefined || text === "") return undefined;
  const level = logLevels.find((known) => known === text.toLowerCase());
  if (level === undefined)
    throw new FireRunnerError("FR-CONFIG", `LOG_LEVEL: "${text}" is refused: must be one of ${logLevels.join(", ")}`);
  return level;
}
