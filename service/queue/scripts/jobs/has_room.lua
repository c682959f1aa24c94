-- Whether any stream of a priority has room, so that a request is worth decoding.
-- ARGV: prefix, group, priority, most entries in a stream, milliseconds to keep a result.
local group, priority, limit, ttl = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local streams = {}
for _, model in ipairs(redis.call('SMEMBERS', prefix .. 'models')) do
  table.insert(streams, stream_key(priority, model))
end
if #streams == 0 then streams = {stream_key(priority)} end
for _, stream in ipairs(streams) do
  if has_room(stream, group, ttl, limit) then return 1 end
end
return 0
