-- Jobs: how they end, expire and are found to be lost.

local function drop_upload(job)
  redis.call('DEL', key('upload', job))
  refund(charge_of(job))
end

-- Job, upload and events expire together.
local function set_job_ttl(job, milliseconds)
  for _, kind in ipairs({'job', 'upload', 'events'}) do
    redis.call('PEXPIRE', key(kind, job), milliseconds)
  end
  local entry = charge_of(job)
  if entry then
    redis.call('ZADD', prefix .. 'storage', 'XX', text(now() + milliseconds), entry)
  end
end

-- End a job, once: its state, its event, its webhook. The upload is kept for composing a result, and
-- for the requeue of a dead letter.
local function end_job(job, state, reason, ttl, dead)
  local name = key('job', job)
  redis.call('ZREM', prefix .. 'deadlines', job)
  if redis.call('HGET', name, 'state') ~= 'queued' then return end
  redis.call('HSET', name, 'state', state, 'reason', reason)
  add_event(job, state)
  if state ~= 'done' and not dead then drop_upload(job) end
  set_job_ttl(job, ttl)
  local webhook = redis.call('HGET', name, 'webhook') or ''
  if webhook ~= '' then
    redis.call('HSET', key('hook', job), 'url', webhook)
    redis.call('PEXPIRE', key('hook', job), 86400000)
    redis.call('ZADD', prefix .. 'hooks', text(now()), job)
  end
  count(state)
end

local function end_subscribed_jobs(task, state, reason, ttl, dead)
  for _, job in ipairs(redis.call('SMEMBERS', key('claims', task))) do
    end_job(job, state, reason, ttl, dead)
  end
  redis.call('PUBLISH', prefix .. 'bells', task)
end

local function drop_entry(stream, group, entry)
  redis.call('XACK', stream, group, entry)
  redis.call('XDEL', stream, entry)
end

-- Remove dead letters older than `dead_ttl`; their tasks have expired by then.
local function trim_dead(dead_ttl)
  local stream = prefix .. 'dead'
  redis.call('XTRIM', stream, 'MINID', text(now() - dead_ttl))
  if redis.call('XLEN', stream) == 0 then redis.call('DEL', stream) end
end

-- Move a task to the dead letters. The letter, the task and its subscribers are kept for the same
-- time; the jobs fail, and are kept as long as any failed job.
local function dead_letter(task, priority, reason, ttl, dead_ttl)
  trim_dead(dead_ttl)
  local letter = redis.call('XADD', prefix .. 'dead', '*',
    'work', task, 'lane', priority, 'reason', reason)
  redis.call('HSET', key('work', task), 'state', 'failed', 'dead', '1', 'reason', reason,
    'letter', letter)
  end_subscribed_jobs(task, 'failed', reason, ttl, true)
  redis.call('PEXPIRE', key('work', task), dead_ttl)
  redis.call('PEXPIRE', key('claims', task), dead_ttl)
  count('dead_letters')
end

local function entry_exists(stream, entry)
  return entry and #redis.call('XRANGE', stream, entry, entry) > 0
end

-- End a job that has not ended, and drop its task if no other job waits for it.
local function withdraw(group, job, state, reason, ttl)
  local task = redis.call('HGET', key('job', job), 'work')
  end_job(job, state, reason, ttl)
  redis.call('SREM', key('claims', task), job)
  if redis.call('SCARD', key('claims', task)) == 0 then
    local where = redis.call('HMGET', key('work', task), 'state', 'entry')
    if where[1] == 'queued' or where[1] == 'running' then
      drop_entry(stream_of(task), group, where[2])
      redis.call('DEL', key('work', task))
      if state == 'expired' then count('dropped') end
    end
  end
  redis.call('PUBLISH', prefix .. 'bells', task)
end

-- Which record of a queued job is missing before its deadline, or nil. Redis has evicted it, or lost
-- data at a restart.
local function missing_record(job)
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

local function lost_reason(what) return 'Redis no longer has the ' .. what .. ' of this job' end

-- Why a job expired.
local function expiry_reason(job)
  local task = redis.call('HGET', key('job', job), 'work')
  local model = redis.call('HGET', key('work', task), 'model') or ''
  if model == '' then return 'not finished before its deadline' end
  for _, heartbeat in ipairs(redis.call('HVALS', prefix .. 'workers')) do
    if (cjson.decode(heartbeat)['models'] or {})[model] then return 'not finished before its deadline' end
  end
  return 'no worker had the model ' .. model .. ' in time'
end

-- Redis has evicted the task: its jobs cannot be done.
local function end_jobs_without_task(task, ttl, reason)
  for _, job in ipairs(redis.call('SMEMBERS', key('claims', task))) do
    if overdue(job) then
      end_job(job, 'expired', reason or '', ttl)
    else
      end_job(job, 'lost', lost_reason('task'), ttl)
    end
  end
  redis.call('DEL', key('claims', task))
  redis.call('PUBLISH', prefix .. 'bells', task)
end

-- The tombstone of a job without a hash reports the loss to its client.
local function mark_lost(job, ttl)
  redis.call('ZREM', prefix .. 'deadlines', job)
  redis.call('SET', key('gone', job), 'lost', 'PX', ttl)
  count('lost')
end

-- End jobs past their deadline, whether their task waits or runs.
local function expire_due(group, ttl, most)
  local due = redis.call('ZRANGEBYSCORE', prefix .. 'deadlines', '-inf', now(), 'LIMIT', 0, most)
  for _, job in ipairs(due) do
    if redis.call('EXISTS', key('job', job)) == 1 then
      withdraw(group, job, 'expired', expiry_reason(job), ttl)
    elseif redis.call('ZSCORE', prefix .. 'deadlines', job) + ttl > now() then
      mark_lost(job, ttl)
    else  -- no sweep for so long that the hash has expired
      redis.call('ZREM', prefix .. 'deadlines', job)
    end
  end
  return #due
end

-- The state of a job for its client, or nil. A job found to be expired or lost is ended here.
local function current_state(group, job, ttl)
  local facts = redis.call('HMGET', key('job', job), 'state', 'work')
  local state, task = facts[1], facts[2]
  if state == 'queued' then
    local gone = missing_record(job)
    if overdue(job) then
      withdraw(group, job, 'expired', expiry_reason(job), ttl)
      return 'expired'
    elseif gone then
      withdraw(group, job, 'lost', lost_reason(gone), ttl)
      return 'lost'
    end
    return redis.call('HGET', key('work', task), 'state') == 'running' and 'running' or 'queued'
  elseif state == 'done' and not has_result(job) then
    redis.call('HSET', key('job', job), 'state', 'lost', 'reason', lost_reason('result'))
    count('lost')
    return 'lost'
  end
  return state
end
