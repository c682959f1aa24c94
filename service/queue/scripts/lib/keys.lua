-- Keys, streams, times and counters. ARGV[1] is always the prefix of every key, as `{name}:`.
local prefix = ARGV[1]

local function key(kind, id) return prefix .. kind .. ':' .. id end

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function text(number) return string.format('%.0f', number) end

-- The stream of a priority and a model. Every worker reads the stream without a model: it holds
-- tasks for a worker's default, and those queued before any worker had their model.
local function stream_key(priority, model)
  if model and model ~= '' then return prefix .. 'jobs:' .. priority .. ':' .. model end
  if priority == 'batch' then return prefix .. 'jobs:batch' end
  return prefix .. 'jobs'
end

-- The stream for a new task: its model's, once a worker has reported the model.
local function route(priority, model)
  if redis.call('SISMEMBER', prefix .. 'models', model) == 0 then return stream_key(priority) end
  return stream_key(priority, model)
end

-- The stream of a queued task; tasks of an older version do not store it.
local function stream_of(task)
  local facts = redis.call('HMGET', key('work', task), 'stream', 'lane')
  return facts[1] or stream_key(facts[2] or 'interactive')
end

local function count(name, by) redis.call('HINCRBY', prefix .. 'metrics', name, by or 1) end

-- Keep a key at least that long from now, and never shorter than before.
local function extend_ttl(name, milliseconds)
  if redis.call('PTTL', name) < tonumber(milliseconds) then
    redis.call('PEXPIRE', name, milliseconds)
  end
end

-- Store an event for replay, if the job is a background job.
local function add_event(job, state)
  if redis.call('HGET', key('job', job), 'background') ~= '1' then return end
  redis.call('XADD', key('events', job), '*', 'state', state)
  redis.call('PEXPIRE', key('events', job), math.max(1, redis.call('PTTL', key('job', job))))
end
