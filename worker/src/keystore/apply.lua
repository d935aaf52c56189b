-- Applies a batch of writes to one session's key material, all or nothing, if the caller still
-- owns the session.
--
-- KEYS  1      the fence (hash)
--       2..    the keys the operations name by their place among KEYS
-- ARGV  1      epoch of the caller
--       2      life of the key material the caller claimed: how often it was erased before
--       3      term of the caller: how often its connection became doubtful
--       4..    operations, one after the other: name, key, count, and that many arguments
--
-- An operation in capitals is that Redis command on the key. The others take the key and those
-- that follow it in KEYS:
--   put      (hash, zset)        field, value, …: sets, and indexes new fields with score 0
--   keep     (hash, zset)        most, then score, field, value, …: sets, and drops the lowest scores
--                                until at most so many are left ('' = as many as there are)
--   expire   (hash, zset)        highest score, limit -> how many it dropped
--   mark     (hash)              id, …: sets the first byte of those that exist
--   secret   (hash, zset)        field, secret, deadline, time, …: merges
--   lid      (hash, hash)        lid, phone, entry: also moves the phone number
--   tcput    (hash, zset, zset)  contact, received at, sent at or '', token
--   tcsent   (hash, zset, zset)  contact, sent at: never back in time
--   tctoken  (hash, zset, zset)  contact, received at, token: the newer wins
--   tcexpire (hash, zset, zset)  received before, sent before, 1 or 2 (which index to walk),
--                                offset, limit -> {looked at, dropped}
--   forget   (set)               prefix, field, …: drops the fields in the hashes of all members
--   clear    (set)               prefix: drops the hashes of all members, and the set
--
-- `forget` and `clear` derive keys from the prefix and the members of the set; they bear the same
-- hash tag.
--
-- Replies: {'APPLIED', reply of each operation…}
--          {'STALE'}       another epoch holds the fence; nothing was changed
--          {'ERASED'}      the key material the caller claimed was erased; nothing was changed
--          {'LATE', term}  a write of a later term came first; nothing was changed

local fence = redis.call('HMGET', KEYS[1], 'epoch', 'life', 'term', 'erased')
if fence[1] ~= ARGV[1] then
  if not fence[1] and fence[4] == ARGV[1] then return {'ERASED'} end
  if fence[1] then redis.call('HINCRBY', KEYS[1], 'refused', 1) end
  return {'STALE'}
end
if fence[2] ~= ARGV[2] then return {'ERASED'} end
local term, mine = tonumber(fence[3]), tonumber(ARGV[3])
if mine < term then return {'LATE', fence[3]} end
if mine > term then redis.call('HSET', KEYS[1], 'term', ARGV[3]) end

local call = redis.call
local pack, unpack_bytes = struct.pack, struct.unpack
local NEVER = '-inf'

-- A trusted contact token row: received at, whether sent, sent at, token.
local function tc_write(k, contact, received, sent, token)
  call('HSET', KEYS[k], contact, pack('>i8Bi8', received, sent and 1 or 0, sent or 0) .. token)
  call('ZADD', KEYS[k + 1], token == '' and NEVER or received, contact)
  call('ZADD', KEYS[k + 2], sent or NEVER, contact)
end

local function tc_read(k, contact)
  local row = call('HGET', KEYS[k], contact)
  if not row then return nil end
  local received, has, sent = unpack_bytes('>i8Bi8', row)
  return received, has == 1 and sent or nil, row:sub(18)
end

local function before(score, limit)
  return score == NEVER or tonumber(score) < tonumber(limit)
end

local ops = {}

function ops.put(k, from, to)
  if call('HSET', KEYS[k], unpack(ARGV, from, to)) == 0 then return 0 end
  local index = {}
  for i = from, to, 2 do
    index[#index + 1] = 0
    index[#index + 1] = ARGV[i]
  end
  return call('ZADD', KEYS[k + 1], unpack(index))
end

function ops.keep(k, from, to)
  local rows, scores = {}, {}
  for i = from + 1, to, 3 do
    rows[#rows + 1], rows[#rows + 2] = ARGV[i + 1], ARGV[i + 2]
    scores[#scores + 1], scores[#scores + 2] = ARGV[i], ARGV[i + 1]
  end
  call('HSET', KEYS[k], unpack(rows))
  call('ZADD', KEYS[k + 1], unpack(scores))
  if ARGV[from] == '' then return 0 end
  local over = call('ZCARD', KEYS[k + 1]) - tonumber(ARGV[from])
  if over <= 0 then return 0 end
  local popped = call('ZPOPMIN', KEYS[k + 1], math.min(over, 1000))
  for i = 1, #popped, 2 do call('HDEL', KEYS[k], popped[i]) end
  return #popped / 2
end

function ops.expire(k, from)
  local old = call('ZRANGEBYSCORE', KEYS[k + 1], '-inf', ARGV[from], 'LIMIT', 0, ARGV[from + 1])
  if #old == 0 then return 0 end
  call('ZREM', KEYS[k + 1], unpack(old))
  call('HDEL', KEYS[k], unpack(old))
  return #old
end

function ops.mark(k, from, to)
  for i = from, to do
    local row = call('HGET', KEYS[k], ARGV[i])
    if row then call('HSET', KEYS[k], ARGV[i], '\1' .. row:sub(2)) end
  end
  return 0
end

function ops.secret(k, from, to)
  local fields = {}
  for i = from, to, 4 do fields[#fields + 1] = ARGV[i] end
  local known = call('HMGET', KEYS[k], unpack(fields))
  local rows, new, seen = {}, {}, {}
  local function write()
    call('HSET', KEYS[k], unpack(rows))
    if #new > 0 then call('ZADD', KEYS[k + 1], unpack(new)) end
    rows, new, seen = {}, {}, {}
  end
  for n, field in ipairs(fields) do
    local i = from + 4 * (n - 1)
    local deadline, time = tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
    local row = known[n]
    if seen[field] then
      write()
      row = call('HGET', KEYS[k], field)
    end
    seen[field] = true
    if row then
      time = math.max(time, (unpack_bytes('>i8', row)))
      -- Without a deadline it is for ever, and stays so.
      if deadline == 0 then
        call('ZREM', KEYS[k + 1], field)
      else
        call('ZADD', KEYS[k + 1], 'XX', 'GT', deadline, field)
      end
    elseif deadline ~= 0 then
      new[#new + 1] = deadline
      new[#new + 1] = field
    end
    rows[#rows + 1] = field
    rows[#rows + 1] = pack('>i8', time) .. ARGV[i + 1]
  end
  write()
  return 0
end

function ops.lid(k, from, to)
  for i = from, to, 3 do
    local lid, phone = ARGV[i], ARGV[i + 1]
    local row = call('HGET', KEYS[k], lid)
    if row then
      local _, known = unpack_bytes('>BI4c0', row)
      if known ~= phone then call('HDEL', KEYS[k + 1], known) end
    end
    call('HSET', KEYS[k + 1], phone, lid)
    call('HSET', KEYS[k], lid, ARGV[i + 2])
  end
  return 0
end

function ops.tcput(k, from)
  tc_write(k, ARGV[from], tonumber(ARGV[from + 1]), tonumber(ARGV[from + 2]), ARGV[from + 3])
  return 0
end

function ops.tcsent(k, from)
  local contact, now = ARGV[from], tonumber(ARGV[from + 1])
  local received, sent, token = tc_read(k, contact)
  if received then
    tc_write(k, contact, received, sent and math.max(sent, now) or now, token)
  else
    tc_write(k, contact, now, now, '')
  end
  return 0
end

function ops.tctoken(k, from)
  local contact, now = ARGV[from], tonumber(ARGV[from + 1])
  local received, sent, token = tc_read(k, contact)
  if received and token ~= '' and now < received then return 0 end
  tc_write(k, contact, now, sent, ARGV[from + 2])
  return 0
end

function ops.tcexpire(k, from)
  local limits = {ARGV[from], ARGV[from + 1]}
  local walk = tonumber(ARGV[from + 2])
  local other = 3 - walk
  local old = call('ZRANGEBYSCORE', KEYS[k + walk], '-inf', '(' .. limits[walk],
    'LIMIT', ARGV[from + 3], ARGV[from + 4])
  local dropped = 0
  for _, contact in ipairs(old) do
    if before(call('ZSCORE', KEYS[k + other], contact) or NEVER, limits[other]) then
      call('HDEL', KEYS[k], contact)
      call('ZREM', KEYS[k + 1], contact)
      call('ZREM', KEYS[k + 2], contact)
      dropped = dropped + 1
    end
  end
  return {#old, dropped}
end

function ops.forget(k, from, to)
  for _, member in ipairs(call('SMEMBERS', KEYS[k])) do
    local key = ARGV[from] .. member
    if call('HDEL', key, unpack(ARGV, from + 1, to)) > 0 and call('EXISTS', key) == 0 then
      call('SREM', KEYS[k], member)
    end
  end
  return 0
end

function ops.clear(k, from)
  for _, member in ipairs(call('SMEMBERS', KEYS[k])) do call('UNLINK', ARGV[from] .. member) end
  return call('UNLINK', KEYS[k])
end

local replies = {'APPLIED'}
local i = 4
while i <= #ARGV do
  local name, k, count = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local from, to = i + 3, i + 2 + count
  local op = ops[name]
  if op then
    replies[#replies + 1] = op(k, from, to)
  else
    replies[#replies + 1] = call(name, KEYS[k], unpack(ARGV, from, to))
  end
  i = to + 1
end
return replies
