-- migrate:up
-- The instances of the service. One is alive while a session holds the advisory lock of its id;
-- 'machine' is the name that the Pulumi CLI writes into a stack's lock there. 'dead_since' is when an
-- instance was first found dead: its row is needed for as long as a stack's lock may name its machine.
create table public.service_instances (
  id uuid primary key,
  machine text not null,
  started_at timestamptz not null default now(),
  dead_since timestamptz
);

-- The service's stacks: spare ones, made ahead, and those of tenants. One that is being made, or whose
-- run was started ahead, is its instance's until that is dead; one that is to be removed is whose
-- instance does that, or still nobody's. 'settings' is the stack's settings file as the CLI wrote it:
-- the salt of the key that its secrets are encrypted with.
create table public.service_stacks (
  name text primary key
    constraint service_stacks_name_is_valid check (name ~ '^[a-z0-9][a-z0-9-]{0,99}$'),
  status text not null
    constraint service_stacks_status_is_known
      check (status in ('making', 'spare', 'prestarted', 'taken', 'removing')),
  instance uuid,
  settings text,
  created_at timestamptz not null default now(),
  constraint service_stacks_held_by_an_instance
    check (
      status = 'removing' or (status in ('making', 'prestarted')) = (instance is not null)
    )
);

-- The few that are no tenant's, oldest first, however many are.
create index service_stacks_free on public.service_stacks (created_at) where status <> 'taken';

-- What the service wants of each tenant that it owns, from the moment a set-up is accepted: 'spec' is
-- the tenant's declaration as the program takes it, the admin's first password as its argon2id hash.
-- public.tenants is what there is. 'asked_by' is the 'sub' of the token that asked for its set-up, null
-- for one without: a set-up that failed is theirs to resume. 'status' is the wanted one; 'purged' is that
-- of a tenant whose end is under way, and its row here goes last. 'generation' counts what was wanted.
-- 'restores_to' is what a restore brings a deleted tenant back to; 'purge_at' is when it is purged by
-- itself. 'released' is that of a tenant that the service is letting go as it is: its row here goes last. A stack may hold several tenants; a tenant that no run was begun for
-- has none yet.
create table public.service_tenants (
  id uuid primary key,
  stack text references public.service_stacks (name) on update cascade,
  spec jsonb not null
    constraint service_tenants_password_is_hashed
      check (spec ->> 'adminPassword' like '$argon2id$v=19$%'),
  asked_by text,
  slug text not null generated always as (spec ->> 'slug') stored,
  status text not null default 'active'
    constraint service_tenants_status_is_known
      check (status in ('active', 'suspended', 'deleted', 'purged')),
  released boolean not null default false,
  generation bigint not null default 1,
  restores_to text
    constraint service_tenants_restores_to_a_status check (restores_to in ('active', 'suspended')),
  purge_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint service_tenants_deleted_can_be_restored
    check ((status = 'deleted') = (restores_to is not null and purge_at is not null))
);

-- Deleting a tenant frees its slug at once.
create unique index service_tenants_one_for_a_slug on public.service_tenants (slug)
  where status in ('active', 'suspended');

-- The few that are to be purged, by when.
create index service_tenants_to_purge on public.service_tenants (purge_at)
  where status in ('deleted', 'purged');

create index service_tenants_of_a_stack on public.service_tenants (stack);

-- migrate:down
drop table public.service_tenants;
drop table public.service_stacks;
drop table public.service_instances;
