-- Accept a job: idempotency, depth limit, job, work and stream in one step.
-- ARGV: prefix, group, job, work, lane, most entries in a stream, milliseconds to the deadline,
-- milliseconds to keep an outcome, idempotency name and fingerprint and milliseconds (or empty),
-- upload (or empty), number of job strings, job fields and values, work fields and values.
-- Returns an answer and the job's id. A repeated call (a retry after a lost reply) adds nothing.
local group, job, work, lane = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local limit, live, keep = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local idempotent, fingerprint = ARGV[9], ARGV[10]
local last = 13 + tonumber(ARGV[13])
local model = ''
for i = last + 1, #ARGV, 2 do
  if ARGV[i] == 'model' then model = ARGV[i + 1] end
end
local stream = route(lane, model)
local job_name, work_name, claims = key('job', job), key('work', work), key('claims', work)

if redis.call('EXISTS', job_name) == 1 then return {'queued', job} end
if idempotent ~= '' then
  local seen = redis.call('HMGET', key('key', idempotent), 'fingerprint', 'job')
  if seen[1] and seen[1] ~= fingerprint then return {'mismatch', seen[2]} end
  if seen[1] and redis.call('EXISTS', key('job', seen[2])) == 1 then return {'same', seen[2]} end
end
if redis.call('EXISTS', prefix .. 'draining') == 1 then return {'draining', ''} end

local known = redis.call('HMGET', work_name, 'state', 'dead', 'lane', 'entry', 'reason')
local known_stream = stream_of(work)
local answer = 'queued'
if known[1] == 'done' or known[2] == '1' then
  answer = known[1]
elseif known[1] == 'queued' or known[1] == 'running' then
  answer = 'joined'
elseif not has_room(stream, group, keep, limit) then
  return {'full', ''}
end

local at = now()
redis.call('HSET', job_name, 'state', 'queued', 'created', text(at), 'deadline', text(at + live),
  unpack(ARGV, 14, last))
redis.call('PEXPIRE', job_name, live + keep)
if ARGV[12] ~= '' then redis.call('SET', key('upload', job), ARGV[12], 'PX', live + keep) end
if idempotent ~= '' then
  redis.call('HSET', key('key', idempotent), 'fingerprint', fingerprint, 'job', job)
  redis.call('PEXPIRE', key('key', idempotent), ARGV[11])
end
count('accepted')
tell(job, 'queued')

if answer == 'done' or answer == 'failed' then
  count('cached')
  conclude(job, answer, known[5] or '', keep)
  return {answer, job}
end

redis.call('SADD', claims, job)
if answer == 'joined' then
  count('coalesced')
  outlive(work_name, live)
  -- Somebody waits now for what was to be done at leisure: it changes lanes, to their end.
  if lane == 'interactive' and known[3] == 'batch' and known[1] == 'queued' then
    drop_entry(known_stream, group, known[4])
    local entry = redis.call('XADD', stream, '*', 'work', work)
    redis.call('HSET', work_name, 'lane', lane, 'stream', stream, 'entry', entry)
  end
else
  redis.call('DEL', work_name)
  local entry = redis.call('XADD', stream, '*', 'work', work)
  redis.call('HSET', work_name, 'state', 'queued', 'created', text(at), 'lane', lane,
    'stream', stream, 'entry', entry, unpack(ARGV, last + 1))
  redis.call('PEXPIRE', work_name, live)
end
-- The claims outlive the work, so that whoever finds the work expired can tell its jobs.
outlive(claims, live + keep)
return {answer, job}
