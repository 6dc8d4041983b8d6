using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Update;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.Internal;
using Npgsql.EntityFrameworkCore.PostgreSQL.Update.Internal;

#pragma warning disable EF1001 // Keeps the provider's own batch, and removes only failures that do not belong to the save.

namespace Tidemark;

/// <summary>Creates the batches of a save (<see cref="SavedBatch"/>) in the same way as the provider.</summary>
internal sealed class SavedBatchFactory(ModificationCommandBatchFactoryDependencies dependencies, IDbContextOptions options)
    : NpgsqlModificationCommandBatchFactory(dependencies, options)
{
    private const int DefaultMaxBatchSize = 1000;

    private readonly ModificationCommandBatchFactoryDependencies _dependencies = dependencies;
    private readonly int _maxBatchSize = options.FindExtension<NpgsqlOptionsExtension>()?.MaxBatchSize ?? DefaultMaxBatchSize;

    public override ModificationCommandBatch Create() => new SavedBatch(_dependencies, _maxBatchSize);
}
