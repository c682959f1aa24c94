-- The status of a job. ARGV: prefix, group, job, milliseconds to keep a job that has ended.
-- Returns its fields, its state, its position in the queue (the number of entries up to it that have
-- not been taken; 0 if it was taken), and the seconds per task. For an unknown job: its tombstone
-- ("lost" or "deleted"), or nothing.
local group, job = ARGV[2], ARGV[3]
local state = current_state(group, job, ARGV[4])
if not state then return redis.call('GET', key('gone', job)) end
local fields = redis.call('HGETALL', key('job', job))
local task = redis.call('HGET', key('job', job), 'work')
local ahead = 0

local function waiting(stream, last)
  if redis.call('EXISTS', stream) == 0 then return 0 end
  local taken = '0-0'
  for _, group_facts in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local is = {}
    for i = 1, #group_facts, 2 do is[group_facts[i]] = group_facts[i + 1] end
    if is['name'] == group then taken = is['last-delivered-id'] end
  end
  -- Limited: a long backlog must not block the server at each request.
  return #redis.call('XRANGE', stream, '(' .. taken, last, 'COUNT', 1000)
end

if state == 'queued' then
  local where = redis.call('HMGET', key('work', task), 'lane', 'entry', 'model')
  local stream = stream_of(task)
  ahead = waiting(stream, where[2])
  if where[1] == 'batch' then
    local first = stream_key('interactive')
    if stream ~= stream_key('batch') then first = stream_key('interactive', where[3]) end
    ahead = ahead + waiting(first, '+')
  end
end

-- The pace of all workers: each heartbeat has the recent seconds per task.
local rate, at = 0, now()
local heartbeats = redis.call('HGETALL', prefix .. 'workers')
for i = 2, #heartbeats, 2 do
  local heartbeat = cjson.decode(heartbeats[i])
  if at - heartbeat['at'] < 10000 and heartbeat['pace'] and heartbeat['pace'] > 0 then
    rate = rate + 1 / heartbeat['pace']
  end
end
return {fields, state, ahead, rate > 0 and tostring(1 / rate) or '0'}
