// What runs inside Redis, atomically. A generation has one producer, and a stream of it is dense: its entries are <sequence>-0 with sequence
// 1, 2, 3 ... So a repeat is known by its number and acknowledged without being appended, and a number that leaves a gap tells that
// something is missing: entries are never named by the server's clock, which may be behind after a failover.
//
// Hash of a generation: producer; c = number of the producer's connection; sealed, once it takes no more; b = bytes appended in all its streams; per partition s<p> = last sequence and
// c<p> = commands appended. Appended minus what the producer says is trimmed is what counts against the bounds.
import { createHash } from 'node:crypto'

interface Script {
  readonly lua: string
  readonly sha: string
}

const script = (lua: string): Script => ({ lua, sha: createHash('sha1').update(lua).digest('hex') })

/**
 * KEYS hash, stream of each partition named.
 * ARGV producer, number of its connection, commandsMax (a partition), bytesMax (the group), bytes trimmed (the group), then for each partition: its number, last sequence
 * to trim or '', commands trimmed, sequence of the first frame, count of frames, and for each frame its commands (negative: no bound) and bytes.
 * Without frames the "first" must be the next sequence: that only asks whether everything is still there.
 * Reply: {'gone'} another producer's, or not there at all; {'sealed'}; {'late'} sent over a connection that was given up, which may arrive at any
 * time and must not take a number that was given to another frame since; {'gap', partition, last sequence}; or {'ok', why the server
 * refused to write or '', last sequence of each partition}: frames beyond that were refused.
 */
export const appendScript = script(`
local fields, at = {'producer', 'sealed', 'b', 'c'}, 6
for i = 2, #KEYS do
  local p = ARGV[at]
  fields[#fields + 1] = 's' .. p
  fields[#fields + 1] = 'c' .. p
  at = at + 5 + 2 * tonumber(ARGV[at + 4])
end
local had = redis.call('HMGET', KEYS[1], unpack(fields))
if had[1] ~= ARGV[1] then return {'gone'} end
if had[2] then return {'sealed'} end
if tonumber(had[4] or 0) > tonumber(ARGV[2]) then return {'late'} end
at = 6
for i = 2, #KEYS do
  local last, first, count = tonumber(had[2 * i + 1] or 0), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  if first > last + 1 or (count == 0 and first <= last) then return {'gap', ARGV[at], last} end
  at = at + 5 + 2 * count
end
local commandsMax, bytesMax, trimmedBytes = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local bytes, changed, refused, reply = tonumber(had[3] or 0), {}, '', {'ok', ''}
at = 6
for i = 2, #KEYS do
  local p, trim, trimmed = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local first, count = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local last, commands = tonumber(had[2 * i + 1] or 0), tonumber(had[2 * i + 2] or 0)
  local before = last
  if trim ~= '' then redis.pcall('XTRIM', KEYS[i], 'MINID', '=', string.format('%d-0', trim + 1)) end
  for j = 1, count do
    local sequence = first + j - 1
    if sequence > last and refused == '' then
      local n, frame = tonumber(ARGV[at + 3 + 2 * j]), ARGV[at + 4 + 2 * j]
      if n < 0 then n = -n
      elseif commands > trimmed and commands - trimmed + n > commandsMax then break
      elseif bytes > trimmedBytes and bytes - trimmedBytes + #frame > bytesMax then break end
      local id = redis.pcall('XADD', KEYS[i], string.format('%d-0', sequence), n, frame)
      if type(id) == 'table' then refused = id.err break end
      last, commands, bytes = sequence, commands + n, bytes + #frame
    end
  end
  if last > before then
    changed[#changed + 1] = 's' .. p
    changed[#changed + 1] = string.format('%d', last)
    changed[#changed + 1] = 'c' .. p
    changed[#changed + 1] = string.format('%d', commands)
  end
  reply[#reply + 1] = last
  at = at + 5 + 2 * count
end
reply[2] = refused
if had[4] ~= ARGV[2] then redis.pcall('HSET', KEYS[1], 'c', ARGV[2]) end
if #changed > 0 then redis.call('HSET', KEYS[1], 'b', string.format('%d', bytes), unpack(changed)) end
return reply
`)

/**
 * Opens a generation and seals the former ones. KEYS root, live, hash of the new one, hashes of the former ones.
 * ARGV producer, generation, generation that the root was read at or ''. Reply: 1, or 0 if the root has changed since.
 */
export const openScript = script(`
if (redis.call('HGET', KEYS[1], 'generation') or '') ~= ARGV[3] then return 0 end
for i = 4, #KEYS do redis.call('HSET', KEYS[i], 'sealed', 1) end
redis.call('DEL', KEYS[3])
redis.call('HSET', KEYS[3], 'producer', ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[2])
redis.call('HSET', KEYS[1], 'generation', ARGV[2], 'producer', ARGV[1])
return 1
`)
