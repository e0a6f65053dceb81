-- The three roles of a ReferralNet database server, made once per server by whoever administers it.
-- None is superuser, none bypasses row security. Passwords, where the server wants them, are set apart from this file.
do $$
begin
  perform pg_advisory_xact_lock(hashtext('referralnet roles'));
  if not exists (select from pg_roles where rolname = 'referralnet_owner') then
    create role referralnet_owner login nosuperuser nobypassrls nocreatedb nocreaterole;
  end if;
  if not exists (select from pg_roles where rolname = 'referralnet_app') then
    create role referralnet_app login nosuperuser nobypassrls nocreatedb nocreaterole;
  end if;
  if not exists (select from pg_roles where rolname = 'referralnet_worker') then
    create role referralnet_worker login nosuperuser nobypassrls nocreatedb nocreaterole;
  end if;
end
$$;
