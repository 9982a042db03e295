-- migrate:up
-- One for each time that tenants were migrated together: its history, which may be deleted once it has ended.
-- 'files' are the names and digests of the migrations that each tenant has at the end, 'options' how it was asked
-- for. 'reason' says why it was stopped or has failed. One whose runners are gone goes on when it is resumed.
create table public.rollouts (
  id uuid primary key default gen_random_uuid(),
  files jsonb not null,
  options jsonb not null,
  status text not null default 'running'
    constraint rollouts_status_is_known
      check (status in ('running', 'paused', 'cancelled', 'succeeded', 'failed')),
  reason text,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  constraint rollouts_end_is_dated
    check ((finished_at is not null) = (status in ('cancelled', 'succeeded', 'failed')))
);

-- Two at once would be two orders in which the same tenants get the same files.
create unique index rollouts_one_alive on public.rollouts ((true)) where status in ('running', 'paused');

create index rollouts_newest on public.rollouts (created_at);

-- The tenants of each, in the order of 'position', canaries first. A tenant is at work while 'runner' is set and a
-- session holds the advisory lock of that runner: whoever finds the lock free gives the tenant back. 'lock_tries'
-- counts how often a migration did not get a lock in time, 'not_before' is when it is tried again. A tenant that is
-- 'gone' was removed meanwhile.
create table public.rollout_tenants (
  rollout_id uuid not null references public.rollouts (id) on delete cascade,
  tenant_id uuid not null,
  position integer not null,
  is_canary boolean not null,
  status text not null default 'pending'
    constraint rollout_tenants_status_is_known check (status in ('pending', 'done', 'failed', 'gone')),
  runner uuid,
  lock_tries integer not null default 0,
  not_before timestamptz not null default now(),
  failure text,
  started_at timestamptz,
  finished_at timestamptz,
  primary key (rollout_id, tenant_id),
  constraint rollout_tenants_end_is_complete
    check ((finished_at is not null) = (status <> 'pending') and (runner is null or status = 'pending'))
);

-- What is left to do, in its order.
create index rollout_tenants_pending on public.rollout_tenants (rollout_id, is_canary desc, position)
  where status = 'pending';

-- migrate:down
drop table public.rollout_tenants;
drop table public.rollouts;
