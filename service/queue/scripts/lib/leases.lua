-- Open entries: lease the task, forward it to another stream, drop it, or make it a dead letter.
-- ARGV: prefix, group, worker, most deliveries, milliseconds to keep a result and a dead letter,
-- number of models, models. These are the worker's healthy models; an empty name stands for tasks
-- without a model.
local group, worker = ARGV[2], ARGV[3]
local most, ttl, dead_ttl = tonumber(ARGV[4]), ARGV[5], ARGV[6]
local models, served, rest = {}, {}, 8 + tonumber(ARGV[7])
for i = 8, rest - 1 do
  table.insert(models, ARGV[i])
  served[ARGV[i]] = true
end
local opened_at = now()

expire_due(group, ttl, 1000)

-- Workers or devices failed, not necessarily because of the task: a new request computes it again.
local function exhaust_deliveries(task, priority)
  local why = redis.call('HGET', key('work', task), 'error')
  local reason = 'given up after ' .. most .. ' deliveries'
  reason = reason .. (why and ', the last of which ended with: ' .. why
    or ' to workers that fell silent')
  redis.call('HSET', key('work', task), 'cause', 'infrastructure')
  dead_letter(task, priority, reason, ttl, dead_ttl)
end

-- A task of a model that this worker does not have goes to the stream of the model.
local function forward(task, priority, model)
  local stream = stream_key(priority, model)
  redis.call('SADD', prefix .. 'models', model)
  local entry = redis.call('XADD', stream, '*', 'work', task)
  redis.call('HSET', key('work', task), 'state', 'queued', 'stream', stream, 'entry', entry)
end

local function start(stream, entry, task)
  local traces, requests = {}, {}
  local name = key('work', task)
  redis.call('HSET', name, 'state', 'running', 'started', text(opened_at), 'worker', worker)
  for _, job in ipairs(redis.call('SMEMBERS', key('claims', task))) do
    add_event(job, 'running')
    local facts = redis.call('HMGET', key('job', job), 'request_id', 'traceparent')
    table.insert(requests, facts[1] or '')
    table.insert(traces, facts[2] or '')
  end
  return {stream, entry, task, redis.call('HGETALL', name), requests, traces}
end

-- The lease of an entry that is pending for this worker, or nil if it is not to be run.
local function open_entry(stream, entry, task)
  local pending = redis.call('XPENDING', stream, group, entry, entry, 1)[1]
  if not pending or pending[2] ~= worker then return nil end
  local facts = redis.call('HMGET', key('work', task), 'state', 'entry', 'lane', 'model')
  local wanted = (facts[1] == 'queued' or facts[1] == 'running') and facts[2] == entry
  if wanted and not served[facts[4] or ''] then
    forward(task, facts[3], facts[4] or '')
  elseif wanted and pending[4] <= most then
    if pending[4] > 1 then count('reclaimed') end
    return start(stream, entry, task)
  elseif wanted then
    exhaust_deliveries(task, facts[3])
  elseif not facts[1] then
    end_jobs_without_task(task, ttl)
    count('dropped')
  end
  drop_entry(stream, group, entry)
  return nil
end
