-- migrate:up
-- 'user_id' is a public.users id. It has no foreign key: a tenant's schema depends on nothing outside
-- of itself, so it can be moved, restored and dropped alone.
create table operators (
  id uuid primary key default gen_random_uuid(),
  user_id uuid unique,
  first_name text not null check (char_length(first_name) between 1 and 100),
  last_name text not null check (char_length(last_name) between 1 and 100),
  phone text check (phone ~ '^\+?[0-9 ]{5,20}$'),
  active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index operators_last_name on operators (lower(last_name));

-- migrate:down
drop table operators;
