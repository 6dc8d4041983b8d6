using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Update;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.Internal;
using Npgsql.EntityFrameworkCore.PostgreSQL.Update.Internal;

#pragma warning disable EF1001 // The provider's own batch is kept; only a failure that is not the save's is taken from it.

namespace Tidemark;

/// <summary>Creates the batches of a save as the provider does (<see cref="SavedBatch"/>).</summary>
internal sealed class SavedBatchFactory(ModificationCommandBatchFactoryDependencies dependencies, IDbContextOptions options)
    : NpgsqlModificationCommandBatchFactory(dependencies, options)
{
    private const int DefaultMaxBatchSize = 1000;

    private readonly ModificationCommandBatchFactoryDependencies _dependencies = dependencies;
    private readonly int _maxBatchSize = options.FindExtension<NpgsqlOptionsExtension>()?.MaxBatchSize ?? DefaultMaxBatchSize;

    public override ModificationCommandBatch Create() => new SavedBatch(_dependencies, _maxBatchSize);
}
