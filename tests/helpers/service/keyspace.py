"""What the queue keeps in Redis at one moment, and what must hold for it at every moment."""

from dataclasses import dataclass

# One script, so that nothing expires or changes between two looks.
_SNAPSHOT = """
local found = {}
local readers = {hash = 'HGETALL', set = 'SMEMBERS', string = 'GET'}
for _, name in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  local kind, value = redis.call('TYPE', name).ok, nil
  if kind == 'zset' then
    value = redis.call('ZRANGE', name, 0, -1, 'WITHSCORES')
  elseif kind == 'stream' then
    value = redis.call('XRANGE', name, '-', '+')
  else
    value = redis.call(readers[kind], name)
  end
  table.insert(found, {name, kind, redis.call('PTTL', name), value})
end
local time = redis.call('TIME')
return {time[1] * 1000 + math.floor(time[2] / 1000), found}
"""
# As if that many milliseconds had gone by: no machine is too slow for a test of expiries.
_PASS_TIME = """
local span = tonumber(ARGV[2])
for _, name in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  local left = redis.call('PTTL', name)
  if left >= 0 and left <= span then
    redis.call('DEL', name)
  elseif left >= 0 then
    redis.call('PEXPIRE', name, left - span)
  end
end
for _, job in ipairs(redis.call('KEYS', ARGV[1] .. 'job:*')) do
  redis.call('HINCRBY', job, 'deadline', -span)
end
for _, list in ipairs({'deadlines', 'storage', 'hooks'}) do
  for _, member in ipairs(redis.call('ZRANGE', ARGV[1] .. list, 0, -1)) do
    redis.call('ZINCRBY', ARGV[1] .. list, -span, member)
  end
end
"""
# Keys without an expiry: their members are removed one by one.
LASTING = {"metrics", "jobs", "jobs:batch", "hooks", "deadlines", "storage", "storage:bytes"}
LASTING |= {"dead", "workers", "models", "sweep"}
# A script reads the time several times.
_SLACK_MS = 1000


def pass_time(server, keys, seconds):
    """Let every expiry and deadline come nearer."""
    server.eval(_PASS_TIME, 0, keys.prefix, int(seconds * 1000))


@dataclass
class Keyspace:
    """Every key of a namespace: its value and milliseconds to live, by its name."""

    now: int
    values: dict
    ttls: dict

    @classmethod
    def of(cls, server, keys):
        now, found = server.eval(_SNAPSHOT, 0, keys.prefix)
        start = len(keys.prefix)
        values, ttls = {}, {}
        for raw, kind, ttl, value in found:
            name = raw.decode()[start:]
            values[name] = _parse(kind.decode(), value)
            ttls[name] = ttl
        return cls(now, values, ttls)

    def named(self, kind):
        """The ids of every key of a kind."""
        return [name.split(":", 1)[1] for name in self.values if name.startswith(f"{kind}:")]

    def check(self, keep_ms):
        """Raise AssertionError where two keys that belong together would part."""
        for name, ttl in self.ttls.items():
            assert (ttl >= 0) != (name in LASTING), f"{name} expires in {ttl} ms"
        for job in self.named("job"):
            self._check_job(job, keep_ms)
        for kind in ("upload", "events"):
            assert set(self.named(kind)) <= set(self.named("job")), kind
        for task in self.named("claims"):
            assert f"work:{task}" in self.values, "claims of no work"
        self._check_charges()
        self._check_lists()

    def _check_job(self, job, keep_ms):
        fields, ttl = self.values[f"job:{job}"], self.ttls[f"job:{job}"]
        task = f"work:{fields['work']}"
        state, left = fields["state"], int(fields["deadline"]) - self.now
        for kind in ("upload", "events"):
            beside = self.ttls.get(f"{kind}:{job}")
            assert beside is None or abs(beside - ttl) <= _SLACK_MS, (state, kind, beside, ttl)
        if fields["background"] == "1":
            assert f"events:{job}" in self.values
        if state == "queued":
            assert job in self.values["deadlines"]
            assert job in self.values[f"claims:{fields['work']}"]
            for name in (task, f"claims:{fields['work']}", f"job:{job}"):
                assert self.ttls[name] >= left + keep_ms - _SLACK_MS, name
            stream = self.values[task]["stream"].split(":", 1)[1]
            assert self.values[task]["entry"] in self.values[stream]
        else:
            assert ttl <= keep_ms + _SLACK_MS and job not in self.values.get("deadlines", {})
        if state == "done":
            assert "fills" in self.values[task] and self.ttls[task] >= ttl - _SLACK_MS
        if state in ("queued", "done") and fields["stored"] == "1":
            assert f"upload:{job}" in self.values
        if state in ("cancelled", "expired", "lost"):
            assert f"upload:{job}" not in self.values

    def _check_charges(self):
        sums = {}
        for entry, released in self.values.get("storage", {}).items():
            job, size, account = entry.split("|", 2)
            for name in (account, "*"):
                sums[name] = sums.get(name, 0) + int(size)
            if released > self.now:
                left = self.ttls[f"job:{job}"]
                assert abs(released - self.now - left) <= _SLACK_MS, "charged for another time"
        charged = {name: int(size) for name, size in self.values.get("storage:bytes", {}).items()}
        assert charged == sums
        charges = {entry.split("|")[0] for entry in self.values.get("storage", {})}
        assert set(self.named("upload")) <= charges, "an upload that nobody is charged for"

    def _check_lists(self):
        for job, deadline in self.values.get("deadlines", {}).items():
            assert self.values[f"job:{job}"]["state"] == "queued"
            assert deadline == int(self.values[f"job:{job}"]["deadline"])
        for priority in ("jobs", "jobs:batch"):
            for entry, fields in self.values.get(priority, {}).items():
                # A requeued task that no job wants may expire: a worker drops its entry.
                task = self.values.get(f"work:{fields['work']}", {"entry": entry})
                assert task["entry"] == entry
        for letter, fields in self.values.get("dead", {}).items():
            facts = self.values.get(f"work:{fields['work']}", {"letter": letter})
            assert facts.get("letter") == letter, "a letter of work that is queued again"


def _parse(kind, value):
    if kind == "hash":
        return dict(zip(map(_text, value[::2]), map(_text, value[1::2]), strict=True))
    if kind == "zset":
        return {
            _text(name): float(score) for name, score in zip(value[::2], value[1::2], strict=True)
        }
    if kind == "set":
        return set(map(_text, value))
    if kind == "stream":
        return {_text(entry): _parse("hash", fields) for entry, fields in value}
    return value


def _text(value):
    return value.decode("latin-1")
