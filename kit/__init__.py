"""What every Opsfield process stands on. Knows no service and no resource kind."""

import gc

# By default the garbage collector looks through what is new after every 700 objects: dozens of times while a program is
# imported, all of which stays. Nearly all that a request makes is freed without it.
gc.set_threshold(20_000, 20, 20)
