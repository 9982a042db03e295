-- migrate:up
-- The cluster's identifier; null where the role may not ask for it, as on some managed servers.
create function public.tenant_database_server() returns text language plpgsql stable as $$
begin
  return (select system_identifier::text from pg_catalog.pg_control_system());
exception when insufficient_privilege or feature_not_supported then
  return null;
end $$;

-- Which database this is: 'id' is what the states of stacks know it by. 'name' and 'server' are where
-- that was said: found in a database of another name, or on another server, the row came with a copy
-- of the data, and no stack works there until somebody says what the copy is. 'replaces' are the
-- databases whose place this one took: their stacks go on here.
create table public.tenant_database (
  id uuid not null default gen_random_uuid(),
  name text not null default current_database(),
  server text default public.tenant_database_server(),
  replaces uuid[] not null default '{}',
  is_only_row boolean primary key default true
    constraint tenant_database_has_one_row check (is_only_row)
);

insert into public.tenant_database default values;

-- migrate:down
drop table public.tenant_database;
drop function public.tenant_database_server();
