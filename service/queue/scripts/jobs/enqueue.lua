-- Accept a job: idempotency, limits, job, task and stream entry in one step.
-- ARGV: prefix, group, job, task, priority, most entries in a stream, milliseconds to the deadline,
-- milliseconds to keep a result, idempotency name and fingerprint and milliseconds (or empty),
-- upload (or empty), storage as JSON (account; bytes that the job is charged; most bytes of the
-- account, 0 for any; share of Redis's memory that is kept free of uploads; most bytes of all
-- accounts where Redis has no limit, 0 for any), number of job strings, job fields and values, task
-- fields and values.
-- Returns a status and the job's id. A repeated call (a retry after a lost reply) adds nothing.
local group, job, task, priority = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local limit, lifetime, ttl = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local idempotent, fingerprint = ARGV[9], ARGV[10]
local upload, storage = ARGV[12], cjson.decode(ARGV[13])
local last = 14 + tonumber(ARGV[14])
local model = ''
for i = last + 1, #ARGV, 2 do
  if ARGV[i] == 'model' then model = ARGV[i + 1] end
end
local stream = route(priority, model)
local job_key, task_key, subscribers = key('job', job), key('work', task), key('claims', task)

-- Whether the job of an earlier request with the same key serves this one, too.
local function can_answer(earlier)
  local facts = redis.call('HMGET', key('job', earlier), 'state', 'work')
  if facts[1] == 'queued' then return not overdue(earlier) and not missing_record(earlier) end
  if facts[1] == 'done' then return has_result(earlier) end
  if facts[1] == 'failed' then
    return redis.call('HGET', key('work', facts[2]), 'cause') ~= 'infrastructure'
  end
  return facts[1] == 'cancelled'
end

-- Whether Redis has memory for an upload beside what synchronous requests need.
local function has_memory(bytes)
  local ok, memory = pcall(redis.call, 'INFO', 'memory')
  if not ok or type(memory) ~= 'string' then memory = '' end
  -- A server that evicts is always about full, and frees memory itself.
  if not string.find(memory, 'maxmemory_policy:noeviction', 1, true) and memory ~= '' then
    return true
  end
  local most = tonumber(string.match(memory, 'maxmemory:(%d+)') or 0)
  if most > 0 then
    local used = tonumber(string.match(memory, 'used_memory:(%d+)'))
    return used + bytes <= most * (1 - storage['reserve'])
  end
  local all = tonumber(redis.call('HGET', prefix .. 'storage:bytes', '*') or 0)
  return storage['total'] == 0 or all + bytes <= storage['total']
end

local function within_quota(bytes)
  local held = redis.call('HGET', prefix .. 'storage:bytes', storage['account'])
  return storage['most'] == 0 or tonumber(held or 0) + bytes <= storage['most']
end

if redis.call('EXISTS', job_key) == 1 then return {'queued', job} end
if idempotent ~= '' then
  local seen = redis.call('HMGET', key('key', idempotent), 'fingerprint', 'job')
  if seen[1] and seen[1] ~= fingerprint then return {'mismatch', seen[2]} end
  if seen[1] and can_answer(seen[2]) then return {'same', seen[2]} end
end
if redis.call('EXISTS', prefix .. 'draining') == 1 then return {'draining', ''} end

local known = redis.call('HMGET', task_key, 'state', 'dead', 'lane', 'entry', 'reason', 'cause',
  'letter')
local known_stream = stream_of(task)
local running = known[1] == 'queued' or known[1] == 'running'
local answer = 'queued'
if known[1] == 'done' and redis.call('HEXISTS', task_key, 'fills') == 1 then
  answer = 'done'
elseif known[2] == '1' and known[6] ~= 'infrastructure' then
  answer = 'failed'
elseif running and entry_exists(known_stream, known[4]) then
  answer = 'joined'
elseif not has_room(stream, group, ttl, limit) then
  return {'full', ''}
end
if storage['bytes'] > 0 then
  refund_due()
  if not within_quota(storage['bytes']) then return {'quota', ''} end
  if not has_memory(storage['bytes']) then return {'memory', ''} end
end

local at = now()
redis.call('HSET', job_key, 'state', 'queued', 'created', text(at), 'deadline', text(at + lifetime),
  'account', storage['account'], 'bytes', text(storage['bytes']),
  'stored', upload ~= '' and '1' or '0', unpack(ARGV, 15, last))
-- A job that is not finished by its deadline expires then; its keys are kept longer.
redis.call('PEXPIRE', job_key, lifetime + ttl)
if upload ~= '' then redis.call('SET', key('upload', job), upload, 'PX', lifetime + ttl) end
charge(job, at + lifetime + ttl)
redis.call('ZADD', prefix .. 'deadlines', text(at + lifetime), job)
if idempotent ~= '' then
  redis.call('HSET', key('key', idempotent), 'fingerprint', fingerprint, 'job', job)
  redis.call('PEXPIRE', key('key', idempotent), ARGV[11])
end
count('accepted')
add_event(job, 'queued')

if answer == 'done' or answer == 'failed' then
  count('cached')
  end_job(job, answer, known[5] or '', ttl)
  if answer == 'done' then extend_ttl(task_key, ttl) end
  return {answer, job}
end

redis.call('SADD', subscribers, job)
if answer == 'joined' then
  count('coalesced')
  -- An interactive job joins a batch task: the task moves to the end of the interactive stream.
  if priority == 'interactive' and known[3] == 'batch' and known[1] == 'queued' then
    drop_entry(known_stream, group, known[4])
    local entry = redis.call('XADD', stream, '*', 'work', task)
    redis.call('HSET', task_key, 'lane', priority, 'stream', stream, 'entry', entry)
  end
else
  if known[7] then redis.call('XDEL', prefix .. 'dead', known[7]) end
  redis.call('DEL', task_key)
  local entry = redis.call('XADD', stream, '*', 'work', task)
  redis.call('HSET', task_key, 'state', 'queued', 'created', text(at), 'lane', priority,
    'stream', stream, 'entry', entry, unpack(ARGV, last + 1))
end
extend_ttl(task_key, lifetime + ttl)
extend_ttl(subscribers, lifetime + ttl)
return {answer, job}
