-- The state of a job with its result, without its position in the queue.
-- ARGV: prefix, group, job, milliseconds to keep a job that has ended.
-- Returns the state, the reason, and of a job that is done the fields and values of its result. For
-- an unknown job: its tombstone ("lost" or "deleted"), or nothing.
local group, job = ARGV[2], ARGV[3]
local state = current_state(group, job, ARGV[4])
if not state then return redis.call('GET', key('gone', job)) end
local facts = redis.call('HMGET', key('job', job), 'reason', 'work')
local result = {}
if state == 'done' then
  local names = {'fills', 'others', 'facts'}
  for i, value in ipairs(redis.call('HMGET', key('work', facts[2]), unpack(names))) do
    if value then
      table.insert(result, names[i])
      table.insert(result, value)
    end
  end
end
return {state, facts[1] or '', result}
