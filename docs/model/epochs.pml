/*
 * The epoch plane as a state machine (PROTOCOL 4): three nodes, a bus that loses, delays, repeats and
 * reorders, crashes with the loss of every key, two conductors at a time, and clocks a slot apart.
 *
 * Safety, after every step (`shared`): whichever chain a sender may use because its peer has announced it, the
 * peer still holds, in a slot that both accept. A sender uses the newest of those that it has heard of; the claim is
 * about all of them, so that it need not be modelled who has heard what.
 * Liveness, bounded (`reached`): two slots after the bus has healed every node holds the newest chain.
 *
 * What each part stands for in the code, and what is left out, is in README.md beside this file. Each of
 *   -DLATE            a sender counts staleness from the receipt of a record, not from the record's slot
 *   -DNO_MARGIN       a sender stops no sooner than a holder drops
 *   -DOLD_STATEMENT   what a node confirmed before a restart still counts after it
 *   -DNO_FENCE        records of a lower term are accepted
 *   -DNO_OWN_FENCE    a conductor goes on under a term lower than that of the newest record it knows
 *   -DNO_RESYNC       a node that lost its chains does not ask for them
 * breaks a rule; README.md says which of them spin has found out.
 */
#define N 3                 /* nodes */
#ifndef RECORDS
#define RECORDS 4           /* epoch records in a run, numbered from 1 */
#endif
#ifndef FAULTS
#define FAULTS 2            /* crashes, cuts and lost leases in a run */
#endif
#define AHEAD 1             /* slots until a record takes effect: 3 in the code */
#define STALE 3             /* maxStaleness in slots */
#define SKEW 1              /* clocks differ by up to so many slots */
#ifdef NO_MARGIN
#define MARGIN 0
#else
#define MARGIN (SKEW + 1)   /* one slot more: a presence may be as old */
#endif
#ifndef LAST
#define LAST 9              /* slots in a run */
#endif
/* The rules that variants break. */
#ifdef LATE
byte heardAt[N];            /* when a node accepted its newest record */
#define HEARD(i) heardAt[i] = SLOT(i)
#define COUNTED(i, k) heardAt[i]
#else
#define HEARD(i) skip
#define COUNTED(i, k) at[k]
#endif
#ifdef NO_FENCE
#define FENCE(top) 0
#else
#define FENCE(top) term[top]
#endif
#ifdef NO_OWN_FENCE
#define OWN_FENCE(top) 0
#else
#define OWN_FENCE(top) term[top]
#endif
#ifdef OLD_STATEMENT
#define UNDER_NEW(set) set
#else
#define UNDER_NEW(set) 0
#endif
#ifdef NO_RESYNC
#define RESYNC false
#else
#define RESYNC true
#endif

#define BIT(r) (1 << (r))
#define HAS(set, r) (((set) >> (r)) & 1)
#define SLOT(i) (now + skew[i])

byte now;                   /* the slot of the slowest clock */
byte faults;                /* faults so far */
bool made;                  /* a record was made in this slot */
byte skew[N];

/* Records: what is published stays readable (JetStream). */
byte records;
byte term[RECORDS + 3];
byte gen[RECORDS + 3];
byte parent[RECORDS + 3];   /* 0: a generation begins, by a root that is sealed to each member */
byte at[RECORDS + 3];

/* Nodes. */
bool cut[N];                /* the bus does not reach it */
byte known[N];              /* set of records it accepted */
byte held[N];               /* set of chains it has the key of */
byte leads[N];              /* term under which it believes to conduct, 0: none */
byte said[N];               /* chains that it has announced under its present statement */

/* The lease: compare-and-set, so one holder at a time in the store. */
byte holder = N;            /* N: nobody */
byte leaseTerm;

#define newer(a, b) (gen[a] > gen[b] || (gen[a] == gen[b] && (term[a] > term[b] || (term[a] == term[b] && (a) > (b)))))

/* newest(set) into `top`, 0: none */
byte top;
inline newestOf(set) {
  top = 0;
  d_step {
    byte k1 = 1;
    do
    :: k1 > records -> break
    :: else ->
      if
      :: HAS(set, k1) && (top == 0 || newer(k1, top)) -> top = k1
      :: else
      fi;
      k1++
    od;
    k1 = 0
  }
}

/* Node i accepts record r: its linked predecessors, which the bus keeps, come with it (follower.ts, #fill). */
inline accept(i, r) {
  newestOf(known[i]);
  if
  :: top != 0 && term[r] < FENCE(top)         /* a conductor of the past */
  :: else ->
    d_step {
      byte p = r;
      byte path = 0;
      if
      :: top == 0 || newer(r, top) -> HEARD(i)
      :: else
      fi;
      known[i] = known[i] | BIT(r);
      /* back to a chain that is held, then derive forward along the way */
      do
      :: p == 0 || HAS(held[i], p) -> break
      :: else ->
        path = path | BIT(p);
        p = parent[p]
      od;
      if
      :: p != 0 ->
        held[i] = held[i] | path;
        known[i] = known[i] | path
      :: else
      fi;
      p = 0;
      path = 0
    }
  fi
}

/* The root of a generation, or the live chains, sealed to node i by node c (sealed.ts, join.ts). */
inline sealTo(i, c) {
  d_step {
    held[i] = held[i] | held[c];
    known[i] = known[i] | held[c]
  }
}

/* Node i makes the record of this slot under its term. */
inline conduct(i) {
  newestOf(known[i]);
  d_step {
    records++;
    term[records] = leads[i];
    at[records] = SLOT(i) + (held[i] == 0 -> 0 : AHEAD);
    if
    :: top != 0 && HAS(held[i], top) ->
      gen[records] = gen[top];
      parent[records] = top
    :: else ->
      gen[records] = (top == 0 -> 1 : gen[top] + 1);
      parent[records] = 0
    fi;
    known[i] = known[i] | BIT(records);
    held[i] = held[i] | BIT(records);
    HEARD(i)
  }
}

/* Node i drops what was superseded STALE slots ago by a chain that it holds (keeper.ts, advance). */
inline drop(i) {
  d_step {
    byte c1 = 1;
    byte d1;
    do
    :: c1 > records -> break
    :: else ->
      if
      :: HAS(held[i], c1) ->
        d1 = 1;
        do
        :: d1 > records -> break
        :: else ->
          if
          /* after a hand-over a newer one may begin before it */
          :: HAS(held[i], d1) && newer(d1, c1) && at[d1] + STALE < SLOT(i) && at[c1] + STALE < SLOT(i) ->
            held[i] = held[i] & ~BIT(c1)
          :: else
          fi;
          d1++
        od
      :: else
      fi;
      c1++
    od;
    c1 = 0;
    d1 = 0
  }
}

/* i sends to n on none that n has dropped: of those in effect that n has announced, none too old (4.6). */
inline checkFrom(i, n) {
  n = 0;
  do
  :: n == N -> break
  :: n == i -> n++
  :: else ->
    k2 = 1;
    do
    :: k2 > records -> break
    :: else ->
      assert(!(HAS(said[n], k2) && HAS(held[i], k2) && at[k2] <= SLOT(i) &&
               SLOT(i) + MARGIN <= COUNTED(i, k2) + STALE) || HAS(held[n], k2)); /* shared */
      k2++
    od;
    n++
  od;
  n = 0;
  k2 = 0
}

/* What the bus, the lease and the nodes may do to node i in a slot, in any order and any number of times. */
inline step(i) {
  if
  /* a record arrives, perhaps late, behind others; a second time it changes nothing */
  :: !cut[i] && records > 0 ->
    select(r0 : 1 .. records);
    if
    :: !HAS(known[i], r0) -> accept(i, r0)
    :: else
    fi
  /* secrets arrive: a root that i is to have, or what it asked for */
  :: !cut[i] && holder < N && holder != i && !cut[holder] && leads[holder] != 0 &&
     (held[holder] & ~held[i]) != 0 -> sealTo(i, holder)
  /* the lease is free, or its holder is not heard of; that may be a mistake */
  :: !cut[i] && leads[i] == 0 && (holder == N || cut[holder] || leads[holder] != leaseTerm || faults < FAULTS) ->
    if
    :: holder != N && !cut[holder] && leads[holder] == leaseTerm -> faults++
    :: else
    fi;
    newestOf(known[i]);
    d_step {
      leaseTerm = 1 + (top != 0 && term[top] > leaseTerm -> term[top] : leaseTerm);
      holder = i;
      leads[i] = leaseTerm
    }
  /* who lost the lease learns it */
  :: !cut[i] && leads[i] != 0 && leads[i] != leaseTerm -> leads[i] = 0
  /* a record of this slot, unless records of a higher term say that another was elected meanwhile */
  :: leads[i] != 0 && !cut[i] && records < RECORDS && !made ->
    newestOf(known[i]);
    if
    :: top != 0 && leads[i] < OWN_FENCE(top) -> leads[i] = 0
    :: else -> conduct(i); made = true
    fi
  /* the bus does not reach it any more, or does again */
  :: faults < FAULTS && !cut[i] -> cut[i] = true; faults++
  :: cut[i] -> cut[i] = false
  /* it starts anew, with another statement and without a key */
  :: faults < FAULTS ->
    d_step {
      held[i] = 0;
      known[i] = 0;
      leads[i] = 0;
      said[i] = UNDER_NEW(said[i]);
      faults++
    }
  :: skip /* nothing */
  fi;
  r0 = 0;
  d_step { for (j0 : 0 .. N - 1) { checkFrom(j0, n0) } j0 = 0 }
}

/* What i says of itself at the end of a slot: chains in effect (voice.ts). What it once said counts on. */
inline speak(i) {
  d_step {
    byte k3 = 1;
    do
    :: k3 > records -> break
    :: else ->
      if
      :: HAS(held[i], k3) && at[k3] <= SLOT(i) -> said[i] = said[i] | BIT(k3)
      :: else
      fi;
      k3++
    od;
    k3 = 0
  }
}

inline nextSlot() {
  now++;
  made = false;
  for (i0 : 0 .. N - 1) {
    drop(i0);
    speak(i0)
  }
  i0 = 0;
  d_step {
    n0 = 0;
    for (i0 : 0 .. N - 1) {
      checkFrom(i0, n0)
    }
    i0 = 0
  }
}

/* A slot in which the bus delivers everything and nothing fails: what is to happen does, once. */
inline healedSlot() {
  for (i0 : 0 .. N - 1) {
    cut[i0] = false;
    if
    :: leads[i0] != leaseTerm -> leads[i0] = 0
    :: else
    fi;
    for (r0 : 1 .. records) {
      accept(i0, r0)
    }
  }
  if
  :: holder == N || leads[holder] == 0 ->
    holder = 0;
    newestOf(known[0]);
    leaseTerm = 1 + (top != 0 && term[top] > leaseTerm -> term[top] : leaseTerm);
    leads[0] = leaseTerm
  :: else
  fi;
  conduct(holder);
  for (i0 : 0 .. N - 1) {
    if
    :: i0 != holder ->
      accept(i0, records);
      if
      :: !HAS(held[i0], records) && RESYNC -> sealTo(i0, holder)
      :: else
      fi
    :: else
    fi
  }
  nextSlot()
}

init {
  byte i0;
  byte j0;
  byte r0;
  byte n0;
  byte k2;
  d_step {
    skew[1] = SKEW; /* one clock ahead: who is ahead of whom is all that matters */
    now = 1
  }
  do
  :: atomic { now < LAST -> nextSlot() }
  :: atomic { now < LAST -> select(i0 : 0 .. N - 1); step(i0) }
  :: break
  od;
  /* The bus heals: from here on two slots with a record each. */
  atomic {
    healedSlot();
    healedSlot();
    newestOf(known[holder]);
    for (i0 : 0 .. N - 1) {
      assert(HAS(held[i0], top)) /* reached */
    }
  }
}
