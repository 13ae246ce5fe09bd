import { createHash } from "node:crypto";

/** What this version writes; a store of a higher format is a newer FireRunner's. */
const storeFormat = 1;

/** A change of the server may have lost the last commits: so many numbers are left out, that those which they had never come again. */
const leap = 1_000_000;

/** A script that Redis runs whole or not at all, with the store's keys as its `KEYS`. */
export interface Script {
  readonly text: string;
  /** By which Redis knows it once it was loaded. */
  readonly sha: string;
}

/**
 * The keys of a store, in the order in which scripts know them.
 *
 * - `meta`: a hash of `format`, `run` (the server process that the counters are of), `revision`, `seq`, `takeovers`, `commit` (the
 *   id of the newest commit) and `key` (which sealing key the store belongs to)
 * - `record`: a hash from `KIND KEY` to `REVISION JSON`
 * - `event`: a stream whose ids are the events' numbers
 * - `feed`: a stream of commits whose ids are their revisions; each names the one before it. Where another process of the server
 *   began, an empty one with `leapTo` joins what this process had of the history to what comes: who knew the newest of it goes on
 * - `lease`: a hash of `holder`, `epoch`, `expiresAt` by the server's clock, `ttlMs`
 * - `note`: a hash from who left a note to `EXPIRES_AT TEXT`, by the server's clock
 */
export const storeKeys = (prefix: string): readonly string[] =>
  ["meta", "record", "event", "feed", "lease", "note"].map((name) => `${prefix}:${name}`);

const now = `
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function digits(number) return string.format('%.0f', number) end
`;

/**
 * `ARGV`: run, a commit id, key id, the highest revision and event number that the caller knows. Answers `same`, or `changed`
 * when the server's process is another than that of the last commits: then whoever led may write no more, and others must
 * wait as long as that leader may believe in its lease. Refusals: `newer`, `key`, `foreign`.
 * A FireRunner that knows nothing of `leapTo` finds an entry that changes nothing, and reads everything anew.
 */
export const beginScript = script(`${now}
local meta = redis.call('HMGET', KEYS[1], 'format', 'run', 'revision', 'seq', 'key', 'commit')
if meta[1] and tonumber(meta[1]) > ${storeFormat} then return {'newer'} end
if meta[5] and meta[5] ~= ARGV[3] then return {'key'} end
if not meta[1] and redis.call('EXISTS', unpack(KEYS)) > 0 then return {'foreign'} end
if meta[2] == ARGV[1] then return {'same'} end
local revision = math.max(tonumber(meta[3] or 0), tonumber(ARGV[4]))
local seq = math.max(tonumber(meta[4] or 0), tonumber(ARGV[5]))
if revision > 0 then
  revision, seq = revision + ${leap}, seq + ${leap}
  redis.call('XADD', KEYS[4], digits(revision) .. '-0', 'commit', ARGV[2], 'before', meta[6] or '', 'seq', meta[4] or '0',
    'batch', '{"writes":[],"events":[]}', 'leapTo', digits(seq))
end
local lease = redis.call('HMGET', KEYS[5], 'holder', 'expiresAt', 'ttlMs')
if lease[1] and lease[1] ~= '' then
  local expiresAt = math.max(tonumber(lease[2]), now() + tonumber(lease[3]))
  redis.call('HSET', KEYS[5], 'epoch', '', 'expiresAt', digits(expiresAt))
end
redis.call('HSET', KEYS[1], 'format', '${storeFormat}', 'run', ARGV[1], 'key', ARGV[3],
  'revision', digits(revision), 'seq', digits(seq), 'commit', ARGV[2])
return {'changed'}
`);

/**
 * `ARGV`: run, epoch or '', commit id, the batch (see batch-text.ts), how many events and how many entries of the feed are kept.
 * Answers `moved`, or with the newest revision `deposed`, `committed`, or `conflict` and the places of the writes that are
 * not as expected. The feed comes first: what could fail fails before anything is written.
 */
export const commitScript = script(`${now}
local meta = redis.call('HMGET', KEYS[1], 'run', 'revision', 'seq', 'commit')
if meta[1] ~= ARGV[1] then return {'moved'} end
if ARGV[2] ~= '' and redis.call('HGET', KEYS[5], 'epoch') ~= ARGV[2] then return {'deposed', meta[2]} end
local batch = cjson.decode(ARGV[4])
local conflicts, changes = {}, #batch.events
for index, write in ipairs(batch.writes) do
  local found = redis.call('HGET', KEYS[2], write[1])
  local revision = found and string.match(found, '^%d+') or 'absent'
  if write[2] ~= 'any' and write[2] ~= revision then conflicts[#conflicts + 1] = index - 1 end
  if found or write[3] ~= '' then changes = changes + 1 end
end
if #conflicts > 0 then return {'conflict', meta[2], conflicts} end
if changes == 0 then return {'committed', meta[2]} end
local revision, seq = digits(tonumber(meta[2]) + 1), tonumber(meta[3])
redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[6], revision .. '-0', 'commit', ARGV[3], 'before', meta[4], 'seq', meta[3], 'batch', ARGV[4])
for index, event in ipairs(batch.events) do
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], digits(seq + index) .. '-0', 'event', event)
end
for _, write in ipairs(batch.writes) do
  if write[3] == '' then redis.call('HDEL', KEYS[2], write[1])
  else redis.call('HSET', KEYS[2], write[1], revision .. ' ' .. write[3]) end
end
redis.call('HSET', KEYS[1], 'revision', revision, 'seq', digits(seq + #batch.events), 'commit', ARGV[3])
return {'committed', revision}
`);

/** `ARGV`: run, holder, time to live in ms, random hex. Answers `moved`, `other`, or `renewed` or `taken` with the epoch and the newest revision. */
export const claimScript = script(`${now}
local meta = redis.call('HMGET', KEYS[1], 'run', 'revision')
if meta[1] ~= ARGV[1] then return {'moved'} end
local lease = redis.call('HMGET', KEYS[5], 'holder', 'epoch', 'expiresAt')
local expiresAt = digits(now() + tonumber(ARGV[3]))
if lease[1] == ARGV[2] and lease[2] ~= '' then
  redis.call('HSET', KEYS[5], 'expiresAt', expiresAt, 'ttlMs', ARGV[3])
  return {'renewed', lease[2], meta[2]}
end
if lease[1] and lease[1] ~= '' and lease[1] ~= ARGV[2] and tonumber(lease[3]) > now() then return {'other'} end
local epoch = redis.call('HINCRBY', KEYS[1], 'takeovers', 1) .. '-' .. ARGV[4]
redis.call('HSET', KEYS[5], 'holder', ARGV[2], 'epoch', epoch, 'expiresAt', expiresAt, 'ttlMs', ARGV[3])
return {'taken', epoch, meta[2]}
`);

/** `ARGV`: run, holder. */
export const releaseScript = script(`
if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then return {'moved'} end
if redis.call('HGET', KEYS[5], 'holder') == ARGV[2] then
  redis.call('HSET', KEYS[5], 'holder', '', 'epoch', '', 'expiresAt', '0')
end
return {'released'}
`);

/** `ARGV`: run, who leaves it, the text, time to live in ms. */
export const leaveNoteScript = script(`${now}
if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then return {'moved'} end
redis.call('HSET', KEYS[6], ARGV[2], digits(now() + tonumber(ARGV[4])) .. ' ' .. ARGV[3])
return {'left'}
`);

/** `ARGV`: run. Answers `notes` and each name with its text; what has expired is forgotten. */
export const notesScript = script(`${now}
if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then return {'moved'} end
local all, kept = redis.call('HGETALL', KEYS[6]), {}
for index = 1, #all, 2 do
  local expiresAt, text = string.match(all[index + 1], '^(%d+) (.*)$')
  if tonumber(expiresAt) > now() then
    kept[#kept + 1] = all[index]
    kept[#kept + 1] = text
  else redis.call('HDEL', KEYS[6], all[index]) end
end
return {'notes', kept}
`);

function script(text: string): Script {
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}
