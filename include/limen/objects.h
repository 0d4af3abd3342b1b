/* SPDX-License-Identifier: MIT */
/*
 * Kernel objects: types, rights and operations.
 *
 * Invocation is uniform: LIMEN_SYS_CALL on a capability, the operation in the tag's label,
 * arguments in message words, results in the words of the reply and its verdict in the reply's
 * label.  A call on an endpoint goes to a server by the same registers, so any object here can be
 * interposed.
 *
 * "Slot" arguments are indices into the caller's own capability table unless the text says another.
 * No operation below blocks; RETYPE, DELETE and REVOKE may take long, and then run in bounded steps
 * between which the caller can be preempted.
 */
#ifndef LIMEN_OBJECTS_H
#define LIMEN_OBJECTS_H

#include <stdint.h>

#define LIMEN_PAGE_ORDER       12u
#define LIMEN_PAGE_SIZE        (UINT64_C(1) << LIMEN_PAGE_ORDER)
#define LIMEN_LARGE_PAGE_ORDER 21u

/* The first address no mapping may reach.  The page below the canonical edge stays unmapped, so the
 * RIP that SYSCALL saves is canonical by construction (docs/hazards/sysret.md). */
#define LIMEN_USER_END UINT64_C(0x00007ffffffff000)

enum limen_type {
    LIMEN_TYPE_NONE = 0,
    LIMEN_TYPE_UNTYPED,      /* 2^order bytes of memory from which objects are made */
    LIMEN_TYPE_TABLE,        /* a capability table of 2^order slots */
    LIMEN_TYPE_THREAD,       /* a thread with its kernel stack */
    LIMEN_TYPE_SPACE,        /* an address space, with page-table pages donated to it */
    LIMEN_TYPE_FRAME,        /* 2^order bytes that can be mapped */
    LIMEN_TYPE_ENDPOINT,     /* a rendezvous for messages */
    LIMEN_TYPE_NOTIFICATION, /* 64 bits that can be signalled and waited for */
    LIMEN_TYPE_REPLY,        /* holds one caller until it is answered */
    LIMEN_TYPE_IRQ_CONTROL,  /* the authority to make interrupt capabilities */
    LIMEN_TYPE_IRQ,          /* one interrupt line */
    LIMEN_TYPE_PORTS,        /* a range of I/O ports */
    LIMEN_TYPE_KERNEL,       /* the kernel's log and counters */
    LIMEN_TYPE_CONTEXT,      /* an account of processor time, on which threads draw */
    LIMEN_TYPE_COUNT
};

/* Rights, a mask.  A copy has at most the rights of its source. */
#define LIMEN_RIGHT_READ    0x1u /* receive, wait, map readable, inspect */
#define LIMEN_RIGHT_WRITE   0x2u /* send, call, signal, map writable, operate */
#define LIMEN_RIGHT_EXECUTE 0x4u /* map executable */
#define LIMEN_RIGHT_GRANT   0x8u /* endpoint: send capabilities along; context: set budgets */
#define LIMEN_RIGHTS_ALL    0xfu

/* Sizes, as powers of two in bytes, of the objects of fixed size. */
#define LIMEN_THREAD_ORDER       15u /* control page, FPU state, stack */
#define LIMEN_ENDPOINT_ORDER     7u
#define LIMEN_NOTIFICATION_ORDER 7u
#define LIMEN_REPLY_ORDER        6u
#define LIMEN_IRQ_ORDER          7u
#define LIMEN_CONTEXT_ORDER      8u
#define LIMEN_SLOT_ORDER         6u  /* one slot of a capability table */
#define LIMEN_TABLE_ORDER_MIN    4u  /* slots: 2^4 ... */
#define LIMEN_TABLE_ORDER_MAX    16u /* ... to 2^16 */
#define LIMEN_SPACE_ORDER_MIN    14u /* header, top table and two table pages ... */
#define LIMEN_SPACE_ORDER_MAX    20u /* ... to 254; more by SPACE_DONATE */
#define LIMEN_UNTYPED_ORDER_MIN  6u
#define LIMEN_UNTYPED_ORDER_MAX  40u
#define LIMEN_RETYPE_COUNT_MAX   256u /* objects made by one call */
#define LIMEN_SPACE_DONATIONS    16u  /* untyped capabilities one space can take */

/* Untyped.  An untyped capability is the only one to its memory: it can be moved, not copied.
 * Memory is handed out from its start upward, each object aligned to its size and, where
 * ring 3 will see it, cleared.  It is all free again once no capability derived from it is left. */
enum limen_untyped_op {
    /* word 0 type, 1 order (tables: of the slot count; fixed-size objects: ignored), 2 slot of the
     * destination table capability (0: the caller's own), 3 first index in it, 4 count (1..256).
     * All indices must be empty.  NO_MEMORY when they do not fit; then nothing was made.  Device
     * untyped yields only UNTYPED and FRAME, and is never cleared.  -> word 0 how many were made:
     * fewer than asked only with an error, when another thread interfered half-way. */
    LIMEN_UNTYPED_RETYPE = 1,
    /* -> word 0 physical address, 1 order, 2 bytes handed out, 3 whether it is device memory */
    LIMEN_UNTYPED_INFO = 2,
};

/* Capability table.  Indices here are those of the invoked table. */
enum limen_table_op {
    /* word 0 destination index, 1 slot of the source table capability (0: own), 2 source index,
     * 3 rights mask, 4 badge.  COPY keeps the source's badge and ignores word 4; MINT sets it, and
     * only on an endpoint or notification whose badge is still 0.  The copy is derived from the
     * source: revoking the source deletes it. */
    LIMEN_TABLE_COPY = 1,
    LIMEN_TABLE_MINT = 2,
    /* word 0 destination index, 1 slot of the source table capability (0: own), 2 source index */
    LIMEN_TABLE_MOVE = 3,
    /* word 0 index.  What was derived from it then counts as derived from what it was derived from.
     * The object itself dies with its last capability. */
    LIMEN_TABLE_DELETE = 4,
    /* word 0 index.  Deletes everything derived from it, and leaves it. */
    LIMEN_TABLE_REVOKE = 5,
    /* word 0 index -> word 0 type (NONE: empty), 1 rights, 2 badge, or of ports the first (bits
     * 15:0) and the last (31:16), or of an interrupt its line, 3 order */
    LIMEN_TABLE_INSPECT = 6,
    /* -> word 0 number of slots */
    LIMEN_TABLE_INFO = 7,
};

/* Threads.  A new one is stopped, has priority 0, and all registers zero but the constant ones. */
enum limen_thread_op {
    /* word 0 slot of a space, 1 slot of a table, 2 slot of the fault endpoint (0: none; a fault
     * then stops the thread).  The thread must be stopped.  It will draw on the scheduling context
     * of the thread that makes this call, if that has one, and not be passive. */
    LIMEN_THREAD_CONFIGURE = 1,
    /* word 0 priority, 0 to 255, at most the caller's own */
    LIMEN_THREAD_SET_PRIORITY = 2,
    /* words 0..21 the frame (regs.h).  CS, SS and the flags that ring 3 may not set are ignored. */
    LIMEN_THREAD_SET_REGS = 3,
    /* -> words 0..21.  The thread must be stopped or waiting; BUSY for the caller itself. */
    LIMEN_THREAD_GET_REGS = 4,
    /* Makes a stopped thread ready.  NOT_CONFIGURED without a space, a table, and a scheduling
     * context to draw on. */
    LIMEN_THREAD_RESUME = 5,
    /* Stops the thread; a system call it is waiting in ends with CANCELLED when it is resumed. */
    LIMEN_THREAD_SUSPEND = 6,
    /* word 0 slot of a 4 KiB frame with READ and WRITE (0: none).  The frame cannot die before the
     * thread lets go of it: deleting its last capability takes it from the thread. */
    LIMEN_THREAD_SET_MESSAGE_PAGE = 7,
    /* word 0 slot of a notification (0: unbind).  A wait on any endpoint then also takes its bits.
     */
    LIMEN_THREAD_BIND = 8,
    /* word 0 FS base, 1 GS base: canonical addresses of the lower half */
    LIMEN_THREAD_SET_BASES = 9,
    /* word 0 entry, 1 top of stack (0, 0: none).  A foreign system call then continues at entry on
     * that stack, with RCX the return address, R11 the RSP it was made with, all else unchanged. */
    LIMEN_THREAD_SET_REFLECTION = 10,
    /* words 0, 1: a name of up to 16 bytes, for people who read logs */
    LIMEN_THREAD_SET_NAME = 11,
    /* -> word 0 state (enum limen_thread_state), 1 priority, 2..3 name, 4 label of the last fault,
     * 5 its word 0, 6 its RIP, 7 nanoseconds run */
    LIMEN_THREAD_INFO = 12,
    /* words 0 to 3 addresses to watch, below LIMEN_USER_END; 4 which, as in the processor's DR7:
     * local and global enables (bits 0 to 7), conditions and lengths (bits 16 to 31), no other bit
     * set but bit 10, which is always one.  No condition may be I/O, and the length of an
     * instruction breakpoint is 0.  All zero: none.  A hit is a debug exception, with DR6 in the
     * fault's word 3; it is an instruction breakpoint's before the instruction, which runs once the
     * handler has set RF in the frame. */
    LIMEN_THREAD_SET_DEBUG = 13,
    /* -> word 0 state, 1 index (in the thread's own table) of the capability that the system call
     * it waits in named, 2 type of the object it waits for, 3 flags (LIMEN_WAIT_*), 4 deadline, 5
     * tag of the message it sends, 6..7 words 1 and 2 of the last fault.  What does not apply is 0:
     * words 1 to 5 for a thread that waits for nothing, words 1, 4 and 5 for one that faulted. */
    LIMEN_THREAD_WAIT_INFO = 14,
    /* word 0 slot of a scheduling context with WRITE, on which the thread draws from now on (0:
     * none, and it can run only while it is passive and serves somebody) */
    LIMEN_THREAD_SET_CONTEXT = 15,
    /* word 0: 1 makes the thread passive.  Each message it takes at an endpoint then brings the
     * account of its sender with it, on which the thread draws until it waits at an endpoint again.
     * 0: it draws on its own context alone. */
    LIMEN_THREAD_SET_PASSIVE = 16,
    /* Lets a stopped thread begin: word 0 RIP, 1 RSP, 2 RDI (all other registers become zero), 3 FS
     * base (GS base becomes zero), 4 slot of its message page as for SET_MESSAGE_PAGE (0: none), 5
     * priority, 6..7 name.  A thread that was never configured gets the caller's own space, table,
     * fault endpoint and scheduling context, derived from what those are derived from. */
    LIMEN_THREAD_LAUNCH = 17,
};

#define LIMEN_WAIT_DEADLINE 0x1u /* until the deadline in word 4 */
#define LIMEN_WAIT_FAULTED  0x2u /* for the handler of its fault */

enum limen_thread_state {
    LIMEN_THREAD_STOPPED = 0,
    LIMEN_THREAD_READY,         /* running or able to */
    LIMEN_THREAD_SENDING,       /* waits at an endpoint for a receiver */
    LIMEN_THREAD_RECEIVING,     /* waits at an endpoint for a sender */
    LIMEN_THREAD_WAITING,       /* waits for a notification */
    LIMEN_THREAD_WAITING_REPLY, /* called, and waits for the answer */
    LIMEN_THREAD_PARKED,        /* could run, but what it draws on is used up, or it has nothing */
};

/* Scheduling contexts (docs/scheduling.md).  A new one has a budget of 0. */
enum limen_context_op {
    /* word 0 budget, 1 period, in nanoseconds, 2 slot of an unlimited context with GRANT, which is
     * the authority to do this.  The threads that draw on the context can together use the budget
     * in each period.  A first period begins at once.  The budget LIMEN_CONTEXT_UNLIMITED has no
     * end, and 0 is none at all; for both, word 1 is ignored. */
    LIMEN_CONTEXT_CONFIGURE = 1,
    /* word 0 slot of an endpoint with WRITE (0: none), to which a thread that draws on this as its
     * own context and uses it up becomes a caller, with LIMEN_FAULT_TIMEOUT (fault.h).  Needs
     * LIMEN_RIGHT_GRANT, for the handler sees and sets the thread's registers. */
    LIMEN_CONTEXT_SET_HANDLER = 2,
    /* -> word 0 budget, 1 period, 2 what is left of this period's budget, 3 used since the context
     * was made, all in nanoseconds; 4 how many threads wait for the next period */
    LIMEN_CONTEXT_INFO = 3,
};

#define LIMEN_CONTEXT_UNLIMITED  UINT64_MAX
#define LIMEN_CONTEXT_PERIOD_MIN UINT64_C(100000)        /* 0.1 ms: refills must stay cheap */
#define LIMEN_CONTEXT_PERIOD_MAX UINT64_C(1000000000000) /* a thousand seconds */

/* Address spaces. */
enum limen_space_op {
    /* word 0 slot of an untyped capability, of at least a page, with nothing made from it.  The
     * capability moves into the space, whose table pages its memory becomes.  Revoking what it was
     * derived from takes it back and unmaps everything in the space. */
    LIMEN_SPACE_DONATE = 1,
    /* -> word 0 table pages held, 1 table pages free, 2 bytes mapped */
    LIMEN_SPACE_INFO = 2,
};

/* Frames.  A capability to a frame holds at most one mapping; copy it to map it twice. */
enum limen_frame_op {
    /* word 0 slot of the space, 1 virtual address, 2 rights (READ, WRITE or EXECUTE; never both of
     * the last two), 3 cache mode (enum limen_cache).  Whatever is mapped can be read, so the
     * capability needs READ besides what is asked for. */
    LIMEN_FRAME_MAP = 1,
    LIMEN_FRAME_UNMAP = 2,
    /* -> word 0 physical address, 1 order, 2 whether device memory, 3 mapped virtual address or 0
     */
    LIMEN_FRAME_INFO = 3,
};

enum limen_cache {
    LIMEN_CACHE_NORMAL = 0,
    LIMEN_CACHE_NONE = 1, /* device registers: uncached */
};

/* Interrupts. */
enum limen_irq_control_op {
    /* word 0 line: an ISA interrupt 0..15 (routed by the MADT's overrides) or, from 16, a global
     * system interrupt; 1 mode (enum limen_irq_mode); 2 slot of an untyped capability that gives
     * the object's memory; 3 destination slot.  BUSY while the line has an object. */
    LIMEN_IRQ_CONTROL_ISSUE = 1,
};

enum limen_irq_mode {
    LIMEN_IRQ_DEFAULT = 0, /* what the firmware's tables say */
    LIMEN_IRQ_EDGE_HIGH = 1,
    LIMEN_IRQ_LEVEL_LOW = 2,
};

enum limen_irq_op {
    /* word 0 slot of a notification (0: none), whose capability's badge is signalled; unmasks */
    LIMEN_IRQ_BIND = 1,
    /* The driver is done with the device: the line may interrupt again. */
    LIMEN_IRQ_ACK = 2,
};

/* I/O ports.  The kernel performs the access after checking it against the capability: RFLAGS.IOPL
 * is always 0 and the TSS has no bitmap, so ring 3 can reach no port by itself. */
enum limen_ports_op {
    /* word 0 port, 1 bytes (1, 2, 4) -> word 0 value */
    LIMEN_PORTS_IN = 1,
    /* word 0 port, 1 bytes (1, 2, 4), 2 value */
    LIMEN_PORTS_OUT = 2,
    /* word 0 port, 1 count (1..48), words 2..7 the bytes, written to the port one after another */
    LIMEN_PORTS_OUT_BYTES = 3,
    /* word 0 first, 1 last port, 2 destination slot: a capability to a part of the range */
    LIMEN_PORTS_NARROW = 4,
};

/* The kernel itself. */
enum limen_kernel_op {
    /* word 0 position in the log's byte stream -> word 0 next position, 1 bytes (0..448); bytes in
     * words 8 to 63 of the caller's message page.  Positions already overwritten are skipped. */
    LIMEN_KERNEL_LOG_READ = 1,
    /* word 0 count (1..48), words 1..6 the bytes: appended to the log and written to the panic
     * console, for use before a console driver runs and after it died */
    LIMEN_KERNEL_LOG_WRITE = 2,
    /* word 0 counter (enum limen_counter) -> word 0 value */
    LIMEN_KERNEL_COUNTER = 3,
    /* word 0 counter: sets it back to zero, where it is a maximum */
    LIMEN_KERNEL_COUNTER_RESET = 4,
    /* words 0..5: 48 bytes of reason.  Stops the machine in order, log and state printed.  Needs
     * LIMEN_RIGHT_GRANT too, so that who may count need not be who may end it all. */
    LIMEN_KERNEL_STOP = 5,
    /* word 0: 1 to resume direct switching on the IPC fast path, 0 to send every message by the
     * general path, so that a test can compare them */
    LIMEN_KERNEL_FAST_PATH = 6,
    /* -> word 0 capabilities, 1 objects there are.  Looks over every tree, queue and count of the
     * kernel, in a build with checks, and panics where one is wrong.  Not bounded, so it needs
     * LIMEN_RIGHT_GRANT too: for tests. */
    LIMEN_KERNEL_CHECK = 7,
};

enum limen_counter {
    LIMEN_COUNTER_MAX_IRQS_OFF = 0, /* longest stretch with interrupts off, in TSC ticks */
    LIMEN_COUNTER_ENTRIES = 1,      /* system calls; counted by the kernel with its checks alone */
    LIMEN_COUNTER_SWITCHES = 2,     /* switches between threads */
    LIMEN_COUNTER_FAST_IPC = 3,     /* messages that took the fast path; likewise */
    LIMEN_COUNTER_BOOT_TSC = 4,     /* TSC at the kernel's first instruction */
    LIMEN_COUNTER_INIT_TSC = 5,     /* TSC at the exit to init's first instruction */
    LIMEN_COUNTER_CALIBRATION = 6,  /* ticks of that spent waiting to calibrate the timer */
    LIMEN_COUNTER_NMIS = 7,
    LIMEN_COUNTER_MACHINE_CHECKS = 8, /* that did no harm: corrected, or unused */
    LIMEN_COUNTER_SPURIOUS_IRQS = 9,
    LIMEN_COUNTER_SURVIVED = 10, /* exceptions in ring 0 that ring 3 brought about: debug traps held
                                  * up until an entry, and IRETs to where it cannot run */
    LIMEN_COUNTER_CORE_CYCLES = 11, /* that were not halted; NOT_SUPPORTED if nothing counts them */
    LIMEN_COUNTER_COUNT
};

#endif
