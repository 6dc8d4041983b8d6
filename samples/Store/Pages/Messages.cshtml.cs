using System.ComponentModel.DataAnnotations;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.RazorPages;
using Microsoft.EntityFrameworkCore;
using Store.Data;

namespace Store.Pages;

/// <summary>The inbox. Opening a message marks it as read, and the next page already shows the lower count in the header.</summary>
public sealed class MessagesModel(StoreContext db) : PageModel
{
    private const int Newest = 50;

    public IReadOnlyList<MessageRow> Inbox { get; private set; } = [];

    public IReadOnlyList<UserRow> Others { get; private set; } = [];

    [TempData]
    public string? Notice { get; set; }

    public async Task OnGetAsync()
    {
        var me = User.Id;
        Inbox = await db.Messages
            .Where(message => message.ToId == me)
            .OrderByDescending(message => message.SentAt)
            .Take(Newest)
            .Select(message => new MessageRow(message.Id, message.FromId, message.From!.Name, message.Text, message.SentAt, message.IsRead))
            .ToListAsync();
        Others = await db.Users
            .Where(user => user.Id != me)
            .OrderBy(user => user.Name)
            .Select(user => new UserRow(user.Id, user.Name))
            .ToListAsync();
    }

    public async Task<IActionResult> OnPostOpenAsync(int message)
    {
        var me = User.Id;
        await db.Messages
            .Where(m => m.Id == message && m.ToId == me)
            .ExecuteUpdateAsync(set => set.SetProperty(m => m.IsRead, true));
        return RedirectToPage(null, null, null, fragment: $"message-{message}");
    }

    public async Task<IActionResult> OnPostSendAsync([Range(1, int.MaxValue)] int to,
        [Required, StringLength(Message.MaxLength)] string text)
    {
        if (ModelState.IsValid)
        {
            db.Add(new Message { FromId = User.Id!.Value, ToId = to, Text = text.Trim() });
            await db.SaveChangesAsync();
            Notice = "Your message is on its way.";
        }
        else
        {
            Notice = $"Choose a recipient, and enter a message of 1 to {Message.MaxLength} characters.";
        }

        return RedirectToPage();
    }
}
