-- migrate:up
-- 'made_for_tenant_id' is the tenant whose set-up made the user, also when that tenant is gone; null
-- for a user who came otherwise, whom no set-up changes and no tenant's end removes. 'password_hash' is null
-- for a user who has not set a password yet: nobody can log in as that one.
create table public.users (
  id uuid primary key default gen_random_uuid(),
  email text not null
    constraint users_email_is_an_email check (
      char_length(email) between 3 and 254 and email ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$'
    ),
  password_hash text
    constraint users_password_is_argon2id check (password_hash like '$argon2id$v=19$%'),
  first_name text not null
    constraint users_first_name_is_printable check (
      char_length(first_name) between 1 and 100 and first_name !~ '[[:cntrl:]]'
    ),
  last_name text not null
    constraint users_last_name_is_printable check (
      char_length(last_name) between 1 and 100 and last_name !~ '[[:cntrl:]]'
    ),
  made_for_tenant_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create unique index users_email_key on public.users (lower(email));

-- The reference keeps the admin from being removed by another tenant's end while this one is set up.
alter table public.tenants
  add column admin_user_id uuid references public.users (id),
  add constraint tenants_active_has_an_admin
    check (status not in ('active', 'suspended') or admin_user_id is not null);

create index tenants_admin_user on public.tenants (admin_user_id);

-- migrate:down
alter table public.tenants drop column admin_user_id;
drop table public.users;
