import asyncio
import random
import time

from kit.tests.kafka_records import relay
from kit.tests.sample_service import Sample


def chain_of(task):
    c = task.get_coro(); chain=[]
    while c is not None:
        f = getattr(c,'cr_frame',None) or getattr(c,'gi_frame',None)
        chain.append(f"{f.f_code.co_filename.split('/')[-1]}:{f.f_lineno}" if f else repr(c))
        c = getattr(c,'cr_await',None) or getattr(c,'gi_yieldfrom',None)
    return chain

async def test_stress(sample: Sample, broker: str) -> None:
    rnd = random.Random(5)
    K="SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted AND usename = 'sample_relay'"
    relays=[asyncio.create_task(relay(sample, broker).run()) for _ in range(3)]
    stop=time.monotonic()+120; n=0; kills=0
    async def write():
        i=0
        while time.monotonic()<stop:
            i+=1
            await sample.emit(f"k-{i%20}", str(i))
            await asyncio.sleep(0.002)
    w=asyncio.create_task(write())
    while time.monotonic()<stop:
        await asyncio.sleep(0.05)
        n+=1
        if n%2:
            kills+=len(await sample.admin.fetch(K)); continue
        v=relays[n%3]
        assert not v.done()
        v.cancel()
        _,p=await asyncio.wait([v],timeout=8)
        if p:
            print("STUCK",n,chain_of(v))
            for t in asyncio.all_tasks(): print("   ", t.get_name(), chain_of(t))
            v.cancel(); _,p=await asyncio.wait([v],timeout=8); print("again",bool(p), chain_of(v))
            assert False
        relays[n%3]=asyncio.create_task(relay(sample, broker).run())
    await w
    print("turns",n,"kills",kills, await sample.count("outbox","state='published'"), await sample.count("outbox"))
    for t in relays: t.cancel()
    _,p=await asyncio.wait(relays,timeout=8)
    assert not p
    assert False
