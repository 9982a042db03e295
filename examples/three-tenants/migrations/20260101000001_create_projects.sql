-- migrate:up
-- What every tenant of the example gets; a product has its own tables here.
create table projects (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  created_at timestamptz not null default now()
);

-- migrate:down
drop table projects;
