-- What the scripts have in common. ARGV[1] is always the prefix of every key, as `{name}:`.
local prefix = ARGV[1]

local function key(kind, id) return prefix .. kind .. ':' .. id end

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function text(number) return string.format('%.0f', number) end

-- The stream of a lane's work for a model. That of no model is read by every worker: it holds work
-- for a worker's default, and what was queued before any worker had its model.
local function stream_key(lane, model)
  if model and model ~= '' then return prefix .. 'jobs:' .. lane .. ':' .. model end
  if lane == 'batch' then return prefix .. 'jobs:batch' end
  return prefix .. 'jobs'
end

-- The stream for new work: its model's, once a worker has said that it has the model.
local function route(lane, model)
  if redis.call('SISMEMBER', prefix .. 'models', model) == 0 then return stream_key(lane) end
  return stream_key(lane, model)
end

-- The stream that queued work is in; work of an older version has none of its own.
local function stream_of(work)
  local facts = redis.call('HMGET', key('work', work), 'stream', 'lane')
  return facts[1] or stream_key(facts[2] or 'interactive')
end

local function count(name, by) redis.call('HINCRBY', prefix .. 'metrics', name, by or 1) end

-- Live at least that long from now, and never shorter than before.
local function outlive(name, milliseconds)
  if redis.call('PTTL', name) < tonumber(milliseconds) then
    redis.call('PEXPIRE', name, milliseconds)
  end
end

-- An event is kept for replay where the client may come back for it.
local function tell(job, state)
  if redis.call('HGET', key('job', job), 'background') ~= '1' then return end
  redis.call('XADD', key('events', job), '*', 'state', state)
  redis.call('PEXPIRE', key('events', job), math.max(1, redis.call('PTTL', key('job', job))))
end

-- The entry under which a background job's bytes are charged to an account, or nil.
local function charge_of(job)
  local facts = redis.call('HMGET', key('job', job), 'bytes', 'account')
  if not facts[1] or facts[1] == '0' then return nil end
  return job .. '|' .. facts[1] .. '|' .. (facts[2] or '')
end

-- `storage` holds each charge by the time at which its keys expire; `storage:bytes` the sums, by
-- account and, as '*', in all.
local function charge(job, at)
  local entry = charge_of(job)
  if not entry or redis.call('ZADD', prefix .. 'storage', text(at), entry) == 0 then return end
  local bytes, account = string.match(entry, '^[^|]*|(%d+)|(.*)$')
  redis.call('HINCRBY', prefix .. 'storage:bytes', account, bytes)
  redis.call('HINCRBY', prefix .. 'storage:bytes', '*', bytes)
end

local function refund(entry)
  if not entry or redis.call('ZREM', prefix .. 'storage', entry) == 0 then return end
  local bytes, account = string.match(entry, '^[^|]*|(%d+)|(.*)$')
  for _, name in ipairs({account, '*'}) do
    if redis.call('HINCRBY', prefix .. 'storage:bytes', name, '-' .. bytes) <= 0 then
      redis.call('HDEL', prefix .. 'storage:bytes', name)
    end
  end
end

local function refund_due()
  local due = redis.call('ZRANGEBYSCORE', prefix .. 'storage', '-inf', now(), 'LIMIT', 0, 1000)
  for _, entry in ipairs(due) do refund(entry) end
  -- Sums without charges are left where Redis evicted the charges.
  if redis.call('EXISTS', prefix .. 'storage') == 0 then
    redis.call('DEL', prefix .. 'storage:bytes')
  end
end

local function drop_upload(job)
  redis.call('DEL', key('upload', job))
  refund(charge_of(job))
end

-- Job, upload and events expire together.
local function keep_job(job, milliseconds)
  for _, kind in ipairs({'job', 'upload', 'events'}) do
    redis.call('PEXPIRE', key(kind, job), milliseconds)
  end
  local entry = charge_of(job)
  if entry then
    redis.call('ZADD', prefix .. 'storage', 'XX', text(now() + milliseconds), entry)
  end
end

-- End a job, once: its state, its event, its webhook. The upload stays where a result needs it, or
-- the requeue of a dead letter.
local function conclude(job, state, reason, keep, dead)
  local name = key('job', job)
  redis.call('ZREM', prefix .. 'deadlines', job)
  if redis.call('HGET', name, 'state') ~= 'queued' then return end
  redis.call('HSET', name, 'state', state, 'reason', reason)
  tell(job, state)
  if state ~= 'done' and not dead then drop_upload(job) end
  keep_job(job, keep)
  local webhook = redis.call('HGET', name, 'webhook') or ''
  if webhook ~= '' then
    redis.call('HSET', key('hook', job), 'url', webhook)
    redis.call('PEXPIRE', key('hook', job), 86400000)
    redis.call('ZADD', prefix .. 'hooks', text(now()), job)
  end
  count(state)
end

local function conclude_all(work, state, reason, keep, dead)
  for _, job in ipairs(redis.call('SMEMBERS', key('claims', work))) do
    conclude(job, state, reason, keep, dead)
  end
  redis.call('PUBLISH', prefix .. 'bells', work)
end

local function drop_entry(stream, group, entry)
  redis.call('XACK', stream, group, entry)
  redis.call('XDEL', stream, entry)
end

-- Remove dead letters older than `keep_dead`; the work they name has expired by then.
local function trim_dead(keep_dead)
  local stream = prefix .. 'dead'
  redis.call('XTRIM', stream, 'MINID', text(now() - keep_dead))
  if redis.call('XLEN', stream) == 0 then redis.call('DEL', stream) end
end

-- Give work up. The letter, the work and its claims are kept for the same time; the jobs are told,
-- and kept as long as any that failed.
local function bury(work, lane, reason, keep, keep_dead)
  trim_dead(keep_dead)
  local letter = redis.call('XADD', prefix .. 'dead', '*',
    'work', work, 'lane', lane, 'reason', reason)
  redis.call('HSET', key('work', work), 'state', 'failed', 'dead', '1', 'reason', reason,
    'letter', letter)
  conclude_all(work, 'failed', reason, keep, true)
  redis.call('PEXPIRE', key('work', work), keep_dead)
  redis.call('PEXPIRE', key('claims', work), keep_dead)
  count('dead_letters')
end

local function entry_exists(stream, entry)
  return entry and #redis.call('XRANGE', stream, entry, entry) > 0
end

-- End a job that has not ended, and drop its work where no other job wants it.
local function withdraw(group, job, state, reason, keep)
  local work = redis.call('HGET', key('job', job), 'work')
  conclude(job, state, reason, keep)
  redis.call('SREM', key('claims', work), job)
  if redis.call('SCARD', key('claims', work)) == 0 then
    local where = redis.call('HMGET', key('work', work), 'state', 'entry')
    if where[1] == 'queued' or where[1] == 'running' then
      drop_entry(stream_of(work), group, where[2])
      redis.call('DEL', key('work', work))
      if state == 'expired' then count('dropped') end
    end
  end
  redis.call('PUBLISH', prefix .. 'bells', work)
end

-- Which record of a queued job is gone though its time is not over, or nil. Redis has evicted it,
-- or lost data at a restart.
local function missing(job)
  local facts = redis.call('HMGET', key('job', job), 'work', 'stored')
  local where = redis.call('HMGET', key('work', facts[1]), 'state', 'entry')
  if not where[1] then return 'task' end
  if redis.call('SISMEMBER', key('claims', facts[1]), job) == 0 then return 'claim' end
  if not entry_exists(stream_of(facts[1]), where[2]) then return 'stream entry' end
  if facts[2] == '1' and redis.call('EXISTS', key('upload', job)) == 0 then return 'picture' end
  return nil
end

local function has_result(job)
  local facts = redis.call('HMGET', key('job', job), 'work', 'stored')
  return redis.call('HEXISTS', key('work', facts[1]), 'fills') == 1
    and (facts[2] ~= '1' or redis.call('EXISTS', key('upload', job)) == 1)
end

local function overdue(job)
  return now() >= tonumber(redis.call('HGET', key('job', job), 'deadline') or 0)
end

local function lost(what) return 'Redis no longer has the ' .. what .. ' of this job' end

-- Why a job's time ran out.
local function expiry_reason(job)
  local work = redis.call('HGET', key('job', job), 'work')
  local model = redis.call('HGET', key('work', work), 'model') or ''
  if model == '' then return 'not finished before its deadline' end
  for _, beat in ipairs(redis.call('HVALS', prefix .. 'workers')) do
    if (cjson.decode(beat)['models'] or {})[model] then return 'not finished before its deadline' end
  end
  return 'no worker had the model ' .. model .. ' in time'
end

-- The task is gone: what Redis has evicted cannot be done.
local function conclude_without_task(work, keep, reason)
  for _, job in ipairs(redis.call('SMEMBERS', key('claims', work))) do
    if overdue(job) then
      conclude(job, 'expired', reason or '', keep)
    else
      conclude(job, 'lost', lost('task'), keep)
    end
  end
  redis.call('DEL', key('claims', work))
  redis.call('PUBLISH', prefix .. 'bells', work)
end

-- A job whose hash is gone leaves a note, so that its client is told of the loss.
local function note_loss(job, keep)
  redis.call('ZREM', prefix .. 'deadlines', job)
  redis.call('SET', key('gone', job), 'lost', 'PX', keep)
  count('lost')
end

-- Jobs whose deadline is over are told so, whether their work waits or runs.
local function expire_due(group, keep, most)
  local due = redis.call('ZRANGEBYSCORE', prefix .. 'deadlines', '-inf', now(), 'LIMIT', 0, most)
  for _, job in ipairs(due) do
    if redis.call('EXISTS', key('job', job)) == 1 then
      withdraw(group, job, 'expired', expiry_reason(job), keep)
    elseif redis.call('ZSCORE', prefix .. 'deadlines', job) + keep > now() then
      note_loss(job, keep)
    else  -- nothing swept for so long that the hash has expired
      redis.call('ZREM', prefix .. 'deadlines', job)
    end
  end
  return #due
end

-- The state of a job as its client is to see it, or nil. An end that nothing has noticed yet is
-- recorded here.
local function current_state(group, job, keep)
  local facts = redis.call('HMGET', key('job', job), 'state', 'work')
  local state, work = facts[1], facts[2]
  if state == 'queued' then
    local gone = missing(job)
    if overdue(job) then
      withdraw(group, job, 'expired', expiry_reason(job), keep)
      return 'expired'
    elseif gone then
      withdraw(group, job, 'lost', lost(gone), keep)
      return 'lost'
    end
    return redis.call('HGET', key('work', work), 'state') == 'running' and 'running' or 'queued'
  elseif state == 'done' and not has_result(job) then
    redis.call('HSET', key('job', job), 'state', 'lost', 'reason', lost('result'))
    count('lost')
    return 'lost'
  end
  return state
end
