namespace Tidemark.Matrix;

/// <summary>How an application connects to the cluster.</summary>
public enum Way
{
    /// <summary>As a superuser, each server at its own address.</summary>
    Superuser,

    /// <summary>As a role with rights on the tables only, each server at its own address.</summary>
    OrdinaryRole,

    /// <summary>As that role, each server behind a PgBouncer of its own in transaction mode.</summary>
    PgBouncer,

    /// <summary>As that role, at two names: one resolves to the primary, one to both replicas in turn.</summary>
    Balancer,
}
