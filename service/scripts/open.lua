-- Look into entries just delivered: what is to be run, what is dropped, what is given up.
-- ARGV: prefix, group, lane, worker, most deliveries, milliseconds to keep an outcome and a dead
-- letter, then entry and work of each.
-- Returns the time, then for each entry the work's fields, its request ids and its traces, or
-- nothing where it is not to be run.
local group, lane, worker = ARGV[2], ARGV[3], ARGV[4]
local most, keep, keep_dead = tonumber(ARGV[5]), ARGV[6], ARGV[7]
local stream, at = lane_key(lane), now()
local opened = {text(at)}

local function give_up(entry, work)
  local reason = 'given up after ' .. most .. ' deliveries to workers that fell silent'
  redis.call('XADD', prefix .. 'dead', '*', 'work', work, 'lane', lane, 'reason', reason)
  redis.call('HSET', key('work', work), 'state', 'failed', 'dead', '1', 'reason', reason)
  redis.call('PEXPIRE', key('work', work), keep_dead)
  conclude_all(work, 'failed', reason, keep)
  redis.call('PEXPIRE', key('claims', work), keep_dead)
  count('dead_letters')
end

local function start(work)
  local traces, requests = {}, {}
  redis.call('HSET', key('work', work), 'state', 'running', 'started', text(at), 'worker', worker)
  for _, job in ipairs(redis.call('SMEMBERS', key('claims', work))) do
    tell(job, 'running')
    local facts = redis.call('HMGET', key('job', job), 'request_id', 'traceparent')
    table.insert(requests, facts[1] or '')
    table.insert(traces, facts[2] or '')
  end
  return {redis.call('HGETALL', key('work', work)), requests, traces}
end

for i = 8, #ARGV, 2 do
  local entry, work = ARGV[i], ARGV[i + 1]
  local pending = redis.call('XPENDING', stream, group, entry, entry, 1)[1]
  local facts = redis.call('HMGET', key('work', work), 'state', 'entry')
  local wanted = (facts[1] == 'queued' or facts[1] == 'running') and facts[2] == entry
  local found = {}
  if pending and pending[2] == worker then
    if wanted and pending[4] <= most then
      found = start(work)
      if pending[4] > 1 then count('reclaimed') end
    else
      if wanted then
        give_up(entry, work)
      elseif not facts[1] then
        conclude_all(work, 'expired', '', keep)
        redis.call('DEL', key('claims', work))
        count('dropped')
      end
      drop_entry(stream, group, entry)
    end
  end
  table.insert(opened, found)
end
return opened
